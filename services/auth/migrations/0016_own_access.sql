-- People see where they are logged in, and what they allowed to whom.
ALTER TABLE sessions
  -- where the person logged in, and with what kind of program; null for grants, which come from the log-in of a browser
  ADD COLUMN ip           inet,
  ADD COLUMN user_agent   text,
  -- when a grant was last exchanged for tokens by a code; a refresh leaves a row in refresh_tokens
  ADD COLUMN last_used_at timestamptz;

-- Log-ins of browsers at the OpenID provider. The cookie of one changes while it lasts; the provider's second name of it, its uid, does not.
CREATE TABLE browser_logins (
  id           uuid        PRIMARY KEY DEFAULT uuidv7(),
  uid          text        NOT NULL UNIQUE,
  user_id      uuid        NOT NULL REFERENCES users,
  -- when the person last logged in there
  created_at   timestamptz NOT NULL,
  last_used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at   timestamptz NOT NULL,
  -- nothing that is stored of the browser under this uid counts from then on
  ended_at     timestamptz,
  ip           inet,
  user_agent   text
);
CREATE INDEX browser_logins_user_id ON browser_logins (user_id) WHERE ended_at IS NULL;
CREATE INDEX browser_logins_expires_at ON browser_logins (expires_at);
INSERT INTO browser_logins (uid, user_id, created_at, last_used_at, expires_at)
  SELECT DISTINCT ON (uid) uid, user_id, authenticated_at, created_at, expires_at FROM artifacts
  WHERE kind = 'Session' AND uid IS NOT NULL AND user_id IS NOT NULL AND authenticated_at IS NOT NULL
  ORDER BY uid, expires_at DESC;
