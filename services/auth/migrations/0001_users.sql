CREATE TABLE users (
  id                 uuid        PRIMARY KEY,
  -- as the person wrote it; compared without case
  email              text        NOT NULL,
  name               text        NOT NULL,
  role               text        NOT NULL CHECK (role IN ('admin', 'manager', 'member')),
  email_verified     boolean     NOT NULL,
  -- PHC string; a tombstone has none
  password_hash      text,
  version            integer     NOT NULL DEFAULT 1 CHECK (version > 0),
  created_at         timestamptz NOT NULL,
  -- strictly increasing for each user: readers of GET /users and of events order by it
  updated_at         timestamptz NOT NULL,
  deleted_at         timestamptz,
  -- access tokens issued before this are refused
  tokens_valid_after timestamptz,
  CHECK ((password_hash IS NULL) = (deleted_at IS NOT NULL))
);

-- "C" folds ASCII alike on every server (a Turkish locale would not), and addresses are ASCII; a deleted user's address is free again
CREATE UNIQUE INDEX users_email_key ON users (lower(email COLLATE "C")) WHERE deleted_at IS NULL;

-- GET /users?updated_since= pages along this
CREATE INDEX users_updated_at ON users (updated_at, id);

-- is there another admin?
CREATE INDEX users_admins ON users (id) WHERE role = 'admin' AND deleted_at IS NULL;
