-- A link is read for one mail. Whoever reads it first says for which delivery; the same delivery may read it again, nobody else may.
ALTER TABLE account_links
  ADD COLUMN read_at  timestamptz,
  -- the client that read it, and the delivery that it read it for, where it said so
  ADD COLUMN read_by  text,
  ADD COLUMN read_for text,
  DROP CONSTRAINT account_links_void_reason_check,
  ADD CONSTRAINT account_links_void_reason_check CHECK (void_reason IN (
    'superseded', 'email_changed', 'email_taken', 'change_cancelled', 'access_ended', 'password_changed', 'user_deleted', 'read_twice'
  ));
ALTER TABLE invitations
  ADD COLUMN read_at  timestamptz,
  ADD COLUMN read_by  text,
  ADD COLUMN read_for text;
