-- A new e-mail address that waits to be confirmed through a link to it; whether a user's
-- address came later than he did; and invitations whose mail is a letter without a link.

-- One row a user; another wish is a new generation, so an old token can never come back.
CREATE TABLE rollcall.email_change (
    org_id        uuid NOT NULL,
    user_id       uuid NOT NULL,
    generation    bigint NOT NULL,
    state         text NOT NULL,
    -- The address that is to be confirmed; null once it no longer is.
    email         text,
    -- Of its making: whatever ends sessions ends this, too.
    session_epoch bigint NOT NULL,
    issued_at     timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    CONSTRAINT email_change_pkey PRIMARY KEY (org_id, user_id),
    CONSTRAINT email_change_users_fkey FOREIGN KEY (org_id, user_id) REFERENCES rollcall.users (org_id, id) ON DELETE CASCADE,
    CONSTRAINT email_change_state_check CHECK (state IN ('pending', 'used', 'withdrawn')),
    CONSTRAINT email_change_email_check CHECK ((state = 'pending') = (email IS NOT NULL)),
    CONSTRAINT email_change_generation_check CHECK (generation BETWEEN 1 AND 4294967295)
);

ALTER TABLE rollcall.users
    -- Made without an address, and given one since (invite_on_email_added).
    ADD COLUMN email_added_later boolean NOT NULL DEFAULT false;

ALTER TABLE rollcall.invitation
    -- False: its mail is a letter (invitation_letter = login_info), and no link leads in.
    ADD COLUMN has_link boolean NOT NULL DEFAULT true;
