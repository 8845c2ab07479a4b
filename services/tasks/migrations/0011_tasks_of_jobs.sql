-- min_version: 0.2.0
-- Tasks that a job carries out (ADR 43).
ALTER TABLE tasks
  ADD COLUMN kind text NOT NULL DEFAULT 'task',
  ADD COLUMN job_id uuid;
COMMENT ON COLUMN tasks.kind IS 'task: people carry it out; job: a worker does, and it never has an assignee';
COMMENT ON COLUMN tasks.job_id IS 'the job of a task of kind job; its row may have been removed';

-- a worker is not named as the assignee
ALTER TABLE tasks DROP CONSTRAINT tasks_started_has_assignee;
ALTER TABLE tasks ADD CONSTRAINT tasks_started_has_assignee_or_job
  CHECK (state NOT IN ('assigned', 'in_progress', 'completed') OR assignee_id IS NOT NULL OR job_id IS NOT NULL) NOT VALID;

ALTER TABLE jobs
  ADD COLUMN task_id uuid,
  ADD COLUMN cancel_is_final boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN jobs.task_id IS 'the task that the job carries out; null for most jobs';
COMMENT ON COLUMN jobs.cancel_is_final IS 'its task was cancelled or deleted: the job ends as cancelled, even if its worker completes it';
