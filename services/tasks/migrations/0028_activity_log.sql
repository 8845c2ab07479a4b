-- min_version: 0.3.0
-- The activity log is append-only for every login; only the removal of deleted tasks deletes entries (ADR 58).
-- SECURITY DEFINER: it deletes as the owner of the tables. The search path is fixed, so that it never uses a table of the caller.
CREATE OR REPLACE FUNCTION remove_deleted_tasks(deleted_for interval, batch integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  removed uuid[] := ARRAY(
    SELECT id FROM tasks WHERE deleted_at < clock_timestamp() - deleted_for ORDER BY deleted_at LIMIT batch FOR UPDATE SKIP LOCKED
  );
BEGIN
  DELETE FROM task_activity WHERE task_id = ANY (removed);
  DELETE FROM tasks WHERE id = ANY (removed);
  RETURN cardinality(removed);
END
$$;

-- Recognises the function by the stack of calls, because any session could make a setting. The context lists the calls, the innermost first: this function,
-- the statement, and the function that runs it.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  calls text;
BEGIN
  GET DIAGNOSTICS calls = PG_CONTEXT;
  IF TG_OP = 'DELETE' AND calls LIKE '% remove_deleted_tasks(interval,integer) %' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation', HINT = 'Only remove_deleted_tasks() deletes entries, with their task.';
END
$$;
