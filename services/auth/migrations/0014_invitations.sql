-- Invitations to register. The token of the link is made from the id with a key, as those of account_links; neither it nor anything that it could be
-- made from is here.
CREATE TABLE invitations (
  id         uuid        PRIMARY KEY,
  -- as it was given; compared without case
  email      text        NOT NULL,
  -- what the page of the link suggests
  name       text,
  invited_by uuid        NOT NULL REFERENCES users,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at   timestamptz,
  end_reason text        CHECK (end_reason IN ('used', 'revoked', 'expired')),
  -- the account that was made with it
  user_id    uuid        REFERENCES users,
  CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
  CHECK ((user_id IS NULL) = (end_reason IS DISTINCT FROM 'used'))
);
-- one open invitation for an address
CREATE UNIQUE INDEX invitations_open_key ON invitations (lower(email COLLATE "C")) WHERE end_reason IS NULL;
CREATE INDEX invitations_expires_at ON invitations (expires_at);

-- NOT VALID spares the scan of a log that satisfied the narrower constraint
ALTER TABLE audit_log
  DROP CONSTRAINT audit_log_subject_kind_check,
  ADD CONSTRAINT audit_log_subject_kind_check CHECK (subject_kind IN ('user', 'client', 'key', 'invitation')) NOT VALID;
