-- min_version: 0.3.0
-- What is left of a task that was removed for good, so that copies that are behind learn of it (ADR 55).
CREATE TABLE task_tombstones (
  -- the number of the change after which the task was gone
  change_no  bigint      PRIMARY KEY,
  task_id    uuid        NOT NULL,
  deleted_at timestamptz NOT NULL
);
CREATE INDEX task_tombstones_by_age ON task_tombstones (deleted_at);

-- A trigger covers every way in which a row can be removed, also those of other releases.
CREATE FUNCTION leave_tombstone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO task_tombstones (change_no, task_id, deleted_at) VALUES (
    -- copies have seen the number of a deletion that was followed; a row that was not deleted before needs a number that they have not seen
    CASE WHEN OLD.deleted_at IS NOT NULL AND OLD.change_no IS NOT NULL THEN OLD.change_no ELSE nextval('task_changes') END,
    OLD.id,
    coalesce(OLD.deleted_at, clock_timestamp())
  );
  RETURN NULL;
END
$$;
CREATE TRIGGER leave_tombstone AFTER DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION leave_tombstone();
