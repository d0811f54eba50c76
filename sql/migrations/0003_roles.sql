-- Roles that are told apart at a glance, and counted.

ALTER TABLE rollcall.role
    -- Of the badge: #rrggbb.
    ADD COLUMN color text,
    ADD CONSTRAINT role_color_check CHECK (color ~ '^#[0-9a-fA-F]{6}$');

-- Who has a role, whatever his status: counted, listed, and looked for when it is deleted.
CREATE INDEX users_role_all_idx ON rollcall.users (org_id, role_id, sort_name, id);
