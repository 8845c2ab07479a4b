-- Search by a part of a name or an address. pg_trgm comes with PostgreSQL and is trusted: the owner of the database may add it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX users_search ON users USING gin (name gin_trgm_ops, email gin_trgm_ops) WHERE deleted_at IS NULL;

-- the filters of GET /api/v1/users; its order is that of the ids, which is that of creation
CREATE INDEX users_role ON users (role, id) WHERE deleted_at IS NULL;
CREATE INDEX users_unverified ON users (id) WHERE deleted_at IS NULL AND NOT email_verified;
CREATE INDEX users_created_at ON users (created_at) WHERE deleted_at IS NULL;
