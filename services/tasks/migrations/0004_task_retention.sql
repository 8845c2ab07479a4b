-- min_version: 0.1.0
-- Removes tasks that were deleted long ago, with their activity. The activity stays append-only for as long as its task exists.
CREATE FUNCTION remove_deleted_tasks(deleted_for interval, batch integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  removed uuid[] := ARRAY(
    SELECT id FROM tasks WHERE deleted_at < clock_timestamp() - deleted_for ORDER BY deleted_at LIMIT batch FOR UPDATE SKIP LOCKED
  );
BEGIN
  PERFORM set_config('taskwire.removes_tasks', 'on', true);
  DELETE FROM task_activity WHERE task_id = ANY (removed);
  PERFORM set_config('taskwire.removes_tasks', 'off', true);
  DELETE FROM tasks WHERE id = ANY (removed);
  RETURN cardinality(removed);
END
$$;

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('taskwire.removes_tasks', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation', HINT = 'Only remove_deleted_tasks() deletes entries, with their task.';
END
$$;
