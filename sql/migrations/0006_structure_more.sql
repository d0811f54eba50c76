-- A group that has members is not deleted over their heads: their versions and their
-- history tell of every change of their groups.

ALTER TABLE rollcall.group_member
    DROP CONSTRAINT group_member_group_fkey,
    ADD CONSTRAINT group_member_group_fkey FOREIGN KEY (org_id, group_id) REFERENCES rollcall.user_group (org_id, id);
