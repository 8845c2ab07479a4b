-- min_version: 0.2.0
-- Gives tasks the states that their jobs bring (ADR 43), with events and activity entries as for any other change. A function, because statements that
-- change jobs then pay nothing for jobs without a task: as parts of these statements, the same would be planned with each claim (0.5 ms of 2).
-- The conditions are checked again when the update had to wait for a task, and the former state comes from the updated row.
CREATE FUNCTION follow_jobs(task_ids uuid[], job_states text[], actor uuid, headers json) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  changed integer;
BEGIN
  WITH followed AS (
    UPDATE tasks task SET state = step.state, version = task.version + 1,
      updated_at = greatest(clock_timestamp(), task.updated_at + interval '10 microseconds')
    FROM unnest(task_ids, job_states) AS given (task_id, job_state) JOIN (VALUES
      ('leased', 'in_progress', 'started', 'a worker started its job'),
      ('succeeded', 'completed', 'completed', 'its job succeeded'),
      ('cancelled', 'cancelled', 'cancelled', 'its job was cancelled')
    ) AS step (job_state, state, action, reason) USING (job_state)
    WHERE task.id = ANY (task_ids) AND task.id = given.task_id AND task.deleted_at IS NULL AND task.state IN ('draft', 'in_progress')
      AND task.state <> step.state
    RETURNING task.id, task.updated_at, old.state AS from_state, task.state, step.action, step.reason
  ), logged AS (
    INSERT INTO task_activity (task_id, action, actor_id, field, from_value, to_value, reason, created_at)
    SELECT id, action, actor, 'state', to_jsonb(from_state), to_jsonb(state), reason, updated_at FROM followed ORDER BY id
  ), emitted AS (
    INSERT INTO outbox (type, aggregate_id, payload, headers)
    SELECT 'tasks.task.' || action, id::text, json_build_object('task_uuid', id,
        'timestamp', to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'actor', actor, 'assigned_to', NULL), headers
    FROM followed ORDER BY id
  )
  SELECT count(*) INTO changed FROM followed;
  RETURN changed;
END
$$;
