-- min_version: 0.3.0
-- The resource to which the aggregate of a message belongs, so that the journey of a task includes its comments. Null for messages recorded by an
-- earlier release, and for aggregates that belong to nothing.
ALTER TABLE inbox ADD COLUMN parent_id text;

COMMENT ON COLUMN inbox.parent_id IS 'The task, if the aggregate is a comment.';
