-- min_version: 0.2.0
-- The text search of tasks (ADR 53). Both extensions are trusted, so the owner of the database may create them.
CREATE EXTENSION IF NOT EXISTS unaccent;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- words of any language, without accents and without stems
CREATE TEXT SEARCH CONFIGURATION task_text (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION task_text ALTER MAPPING FOR word, hword, hword_part WITH unaccent, simple;

CREATE TABLE task_search (
  task_id  uuid     PRIMARY KEY,
  title    text     NOT NULL,
  document tsvector NOT NULL
);
COMMENT ON TABLE task_search IS 'what is searched of tasks that are not deleted, written by the follower of their changes';
COMMENT ON COLUMN task_search.title IS 'in small letters without accents, for suggestions';
-- fastupdate moves entries from a pending list in bursts, which stall whoever writes at that moment
CREATE INDEX task_search_document ON task_search USING gin (document) WITH (fastupdate = off);
CREATE INDEX task_search_title ON task_search USING gin (title gin_trgm_ops) WITH (fastupdate = off);

-- One row: how far the follower is.
CREATE TABLE task_search_progress (
  singleton boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
  change_no bigint      NOT NULL DEFAULT 0,
  as_of     timestamptz NOT NULL DEFAULT 'epoch'
);
COMMENT ON COLUMN task_search_progress.change_no IS 'every change up to this number is in task_search';
COMMENT ON COLUMN task_search_progress.as_of IS 'every task whose last change was committed by this time is in task_search as it is';
INSERT INTO task_search_progress DEFAULT VALUES;
