-- min_version: 0.2.0
-- Schedules that enqueue jobs, and schedules whose next occurrence follows the end of the last one (ADR 43).
ALTER TABLE schedules
  ADD COLUMN last_job_id uuid,
  ADD COLUMN regenerate text NOT NULL DEFAULT 'on_schedule' CHECK (regenerate IN ('on_schedule', 'on_completion')),
  ADD COLUMN awaits_end boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT schedules_that_await_are_not_due CHECK (NOT awaits_end OR (due_at IS NULL AND deleted_at IS NULL));
COMMENT ON COLUMN schedules.awaits_end IS 'the next instant is computed when the last task or job has ended';
CREATE INDEX schedules_awaiting ON schedules (id) WHERE awaits_end;

ALTER TABLE schedule_occurrences
  ADD COLUMN job_id uuid,
  DROP CONSTRAINT schedule_occurrences_ran_has_task,
  ADD CONSTRAINT schedule_occurrences_ran_has_task_or_job CHECK (num_nonnulls(task_id, job_id) = (state = 'ran')::integer);
