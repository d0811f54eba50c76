-- Roles that are told apart at a glance.

ALTER TABLE rollcall.role
    -- Of the badge: #rrggbb.
    ADD COLUMN color text,
    ADD CONSTRAINT role_color_check CHECK (color ~ '^#[0-9a-fA-F]{6}$');
