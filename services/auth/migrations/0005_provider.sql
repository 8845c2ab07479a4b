-- A session is a grant as well: what a person lets one client do in their name. Those of the JSON API have no payload.
ALTER TABLE sessions
  ADD COLUMN client_id text NOT NULL DEFAULT 'first-party',
  -- the provider's Grant: what was consented to
  ADD COLUMN payload   json,
  DROP CONSTRAINT sessions_end_reason_check,
  ADD CONSTRAINT sessions_end_reason_check CHECK (end_reason IN (
    'logout', 'refresh_token_reuse', 'code_reuse', 'revoked', 'client_removed', 'user_demoted', 'user_deleted'
  )),
  ADD CHECK ((client_id = 'first-party') = (payload IS NULL));
CREATE INDEX sessions_client_id ON sessions (client_id) WHERE ended_at IS NULL AND client_id <> 'first-party';

-- the provider's RefreshToken, without the token
ALTER TABLE refresh_tokens ADD COLUMN payload json;

-- What the provider keeps beside grants and refresh tokens: codes, opaque access tokens, log-ins of browsers, interactions, used jti.
CREATE TABLE artifacts (
  kind             text        NOT NULL,
  -- SHA-256 of the code, token, cookie or jti; the thing itself is nowhere
  hash             bytea       NOT NULL,
  -- json, since jsonb refuses what a client may send as state or nonce (\u0000), and nobody looks inside
  payload          json        NOT NULL,
  session_id       uuid        REFERENCES sessions ON DELETE CASCADE,
  user_id          uuid        REFERENCES users,
  -- of the log-in that it comes from: none that is older than users.tokens_valid_after counts
  authenticated_at timestamptz,
  -- a second name of a browser's log-in, which opens nothing
  uid              text,
  created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at       timestamptz NOT NULL,
  consumed_at      timestamptz,
  PRIMARY KEY (kind, hash)
);
CREATE INDEX artifacts_uid ON artifacts (kind, uid) WHERE uid IS NOT NULL;
CREATE INDEX artifacts_session_id ON artifacts (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX artifacts_expires_at ON artifacts (expires_at);

-- clients that were registered by command; those of the configuration are not here
CREATE TABLE clients (
  client_id   text        PRIMARY KEY CHECK (client_id <> 'first-party'),
  -- as in the configuration, with the hash of a secret in place of the secret
  settings    jsonb       NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
