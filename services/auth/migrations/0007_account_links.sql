-- A link that is mailed: it verifies an address, or sets a new password. Its token is made from id and purpose with a key, so neither the token
-- nor anything that it could be made from is here.
CREATE TABLE account_links (
  id          uuid        PRIMARY KEY,
  user_id     uuid        NOT NULL REFERENCES users,
  purpose     text        NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
  -- the address that it is for; another one of the user ends it
  email       text        NOT NULL,
  created_at  timestamptz NOT NULL,
  expires_at  timestamptz NOT NULL,
  used_at     timestamptz,
  voided_at   timestamptz,
  -- why it ended before it was used
  void_reason text        CHECK (void_reason IN ('superseded', 'email_changed', 'password_changed', 'user_deleted')),
  CHECK ((voided_at IS NULL) = (void_reason IS NULL)),
  CHECK (used_at IS NULL OR voided_at IS NULL)
);
-- of each purpose a user has one link that works at most
CREATE UNIQUE INDEX account_links_open ON account_links (user_id, purpose) WHERE used_at IS NULL AND voided_at IS NULL;
CREATE INDEX account_links_user_id ON account_links (user_id);
CREATE INDEX account_links_expires_at ON account_links (expires_at);

-- Mails that somebody asked for, whoever's the address is, if anybody's: a worker looks it up and takes the row away, a second later.
CREATE TABLE mail_requests (
  id           uuid        PRIMARY KEY,
  purpose      text        NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
  email        text        NOT NULL,
  -- where it was asked from, for the audit log
  origin       json        NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

ALTER TABLE sessions
  DROP CONSTRAINT sessions_end_reason_check,
  ADD CONSTRAINT sessions_end_reason_check CHECK (end_reason IN (
    'logout', 'logged_out_everywhere', 'password_changed', 'password_reset',
    'refresh_token_reuse', 'code_reuse', 'revoked', 'client_removed', 'user_demoted', 'user_deleted'
  ));
