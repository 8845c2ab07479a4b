-- min_version: 0.3.0
-- Sub-tasks and dependencies (ADR 56). Only transactions that hold the lock of the graph set a parent or add a row of task_blockers.
ALTER TABLE tasks ADD COLUMN parent_id uuid, ADD COLUMN deletion_id uuid, ADD COLUMN is_linked boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN tasks.parent_id IS 'the task of which this is a sub-task';
COMMENT ON COLUMN tasks.deletion_id IS 'the task whose deletion deleted this task: itself, or the root of a subtree';
COMMENT ON COLUMN tasks.is_linked IS 'whether the task has, or had, a sub-task, a blocker or a task that it blocks; other tasks need no further look-up';

CREATE TABLE task_blockers (
  task_id    uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
  blocker_id uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
  PRIMARY KEY (task_id, blocker_id)
);
COMMENT ON TABLE task_blockers IS 'which tasks wait for which; a blocker that has ended or was deleted blocks no longer';
CREATE INDEX task_blockers_by_blocker ON task_blockers (blocker_id, task_id);

-- Announces the tasks that have lost their last open blocker, once each. The caller has ended the blockers in this transaction. Statements of a function
-- that is VOLATILE see what was committed before each of them, so the second statement sees the blockers of the transaction for which the first waited.
-- In a single statement, two transactions that end the last two blockers at the same time would each see the other blocker open.
CREATE FUNCTION unblock_tasks(ended uuid[], actor uuid, headers json) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  announced integer;
BEGIN
  PERFORM id FROM tasks WHERE id = ANY (ARRAY(SELECT task_id FROM task_blockers WHERE blocker_id = ANY (ended))) ORDER BY id FOR UPDATE;
  WITH unblocked AS MATERIALIZED (
    SELECT task.id, task.project_id, task.assignee_id, greatest(clock_timestamp(), task.updated_at + interval '10 microseconds') AS at
    FROM tasks task
    WHERE task.id = ANY (ARRAY(SELECT task_id FROM task_blockers WHERE blocker_id = ANY (ended)))
      AND task.deleted_at IS NULL AND task.state NOT IN ('completed', 'cancelled')
      AND NOT EXISTS (
        SELECT FROM task_blockers edge JOIN tasks blocker ON blocker.id = edge.blocker_id
        WHERE edge.task_id = task.id AND blocker.deleted_at IS NULL AND blocker.state NOT IN ('completed', 'cancelled')
      )
  ), logged AS (
    INSERT INTO task_activity (task_id, action, actor_id, created_at) SELECT id, 'unblocked', actor, at FROM unblocked ORDER BY id
  ), emitted AS (
    INSERT INTO outbox (type, aggregate_id, payload, headers)
    SELECT 'tasks.task.unblocked', id::text, json_build_object('task_uuid', id, 'project_id', project_id,
        'timestamp', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'actor', actor, 'assigned_to', assignee_id), headers
    FROM unblocked ORDER BY id
  )
  SELECT count(*) INTO announced FROM unblocked;
  RETURN announced;
END
$$;

-- As in 0029, and a task that ends unblocks others. Tasks are locked in the order of their ids, the ended together with those that they block.
CREATE OR REPLACE FUNCTION follow_jobs(task_ids uuid[], job_states text[], actor uuid, headers json) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  changed integer;
  ended uuid[];
BEGIN
  IF job_states && ARRAY['succeeded', 'cancelled'] THEN
    PERFORM id FROM tasks
    WHERE id = ANY (ARRAY(SELECT unnest(task_ids) UNION SELECT task_id FROM task_blockers WHERE blocker_id = ANY (task_ids)))
    ORDER BY id FOR UPDATE;
  END IF;
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
    RETURNING task.id, task.project_id, task.updated_at, old.state AS from_state, task.state, step.action, step.reason, task.is_linked
  ), logged AS (
    INSERT INTO task_activity (task_id, action, actor_id, field, from_value, to_value, reason, created_at)
    SELECT id, action, actor, 'state', to_jsonb(from_state), to_jsonb(state), reason, updated_at FROM followed ORDER BY id
  ), emitted AS (
    INSERT INTO outbox (type, aggregate_id, payload, headers)
    SELECT 'tasks.task.' || action, id::text, json_build_object('task_uuid', id, 'project_id', project_id,
        'timestamp', to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'actor', actor, 'assigned_to', NULL), headers
    FROM followed ORDER BY id
  )
  SELECT count(*), array_agg(id) FILTER (WHERE is_linked AND state <> 'in_progress') INTO changed, ended FROM followed;
  IF ended IS NOT NULL THEN
    PERFORM unblock_tasks(ended, actor, headers);
  END IF;
  RETURN changed;
END
$$;
