-- min_version: 0.3.0
-- The text search of comments (ADR 53): each change of a comment gets a number, by which the search follows it.
ALTER TABLE task_comments ADD COLUMN change_no bigint;
COMMENT ON COLUMN task_comments.change_no IS 'the number of the last change; numbers may commit in another order';
-- CACHE 1, so that a transaction gets each number while it holds the lock of its statement on the table
CREATE SEQUENCE comment_changes CACHE 1;
CREATE FUNCTION number_comment_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.change_no := nextval('comment_changes');
  RETURN NEW;
END
$$;
CREATE TRIGGER number_change BEFORE INSERT OR UPDATE ON task_comments FOR EACH ROW EXECUTE FUNCTION number_comment_change();

-- The follower of release 0.3.0 knows only task_search, so comments have a table of their own.
CREATE TABLE comment_search (
  comment_id uuid     PRIMARY KEY REFERENCES task_comments ON DELETE CASCADE,
  task_id    uuid     NOT NULL,
  document   tsvector NOT NULL
);
COMMENT ON TABLE comment_search IS 'what is searched of comments, written by the follower of their changes';
CREATE INDEX comment_search_document ON comment_search USING gin (document) WITH (fastupdate = off);
-- which comment of a found task has the words
CREATE INDEX comment_search_by_task ON comment_search (task_id);

ALTER TABLE task_search_progress ADD COLUMN comment_change_no bigint NOT NULL DEFAULT 0;
ALTER TABLE task_search_progress ADD COLUMN comments_as_of timestamptz NOT NULL DEFAULT 'epoch';
COMMENT ON COLUMN task_search_progress.comment_change_no IS 'every change of a comment up to this number is in comment_search';
COMMENT ON COLUMN task_search_progress.comments_as_of IS 'every comment whose last change was committed by this time is in comment_search as it is';
