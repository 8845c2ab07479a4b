-- Another e-mail address is confirmed by a link mailed to it before it takes effect, and can be undone by a link mailed to the old one.
-- The version before knows neither purpose, and goes on working.
ALTER TABLE account_links
  DROP CONSTRAINT account_links_purpose_check,
  ADD CONSTRAINT account_links_purpose_check CHECK (
    purpose IN ('verify_email', 'reset_password', 'confirm_email', 'undo_email')
  ),
  DROP CONSTRAINT account_links_void_reason_check,
  ADD CONSTRAINT account_links_void_reason_check CHECK (void_reason IN (
    'superseded', 'email_changed', 'email_taken', 'change_cancelled', 'access_ended', 'password_changed', 'user_deleted'
  )),
  -- who caused the mail, for its reader; null for links made by the version before
  ADD COLUMN requested_by text CHECK (requested_by IN ('registration', 'admin', 'account_holder', 'anyone')),
  -- a truncated address and the name of a browser: enough to recognise oneself, nothing that the caller wrote
  ADD COLUMN requested_network text,
  ADD COLUMN requested_browser text;

-- Several changes in a row leave several old addresses, and each may undo.
DROP INDEX account_links_open;
CREATE UNIQUE INDEX account_links_open ON account_links (user_id, purpose)
  WHERE used_at IS NULL AND voided_at IS NULL AND purpose <> 'undo_email';
-- An address that may undo a change belongs to nobody else as long as it may. The expression is the one of users_email_key.
CREATE INDEX account_links_reserved ON account_links (lower(email COLLATE "C"))
  WHERE used_at IS NULL AND voided_at IS NULL AND purpose = 'undo_email';

ALTER TABLE users
  -- the address of the open link that confirms it; stored here so that a change of it is a version of the user
  ADD COLUMN pending_email text,
  -- made by POST /auth/register: deleted when nobody ever verifies the address. Accounts from before this column are not.
  ADD COLUMN self_registered boolean NOT NULL DEFAULT false;
CREATE INDEX users_pending_email ON users (id) WHERE pending_email IS NOT NULL;
CREATE INDEX users_never_verified ON users (created_at) WHERE deleted_at IS NULL AND NOT email_verified AND self_registered;

ALTER TABLE sessions
  DROP CONSTRAINT sessions_end_reason_check,
  ADD CONSTRAINT sessions_end_reason_check CHECK (end_reason IN (
    'logout', 'logged_out_everywhere', 'password_changed', 'password_reset', 'email_undone',
    'refresh_token_reuse', 'code_reuse', 'revoked', 'client_removed', 'user_demoted', 'user_deleted'
  ));
