-- min_version: 0.3.0
ALTER TABLE task_activity
  ADD COLUMN why    text,
  ADD COLUMN choice jsonb;
COMMENT ON COLUMN task_activity.reason IS 'the explanation of the service';
COMMENT ON COLUMN task_activity.why IS 'the reason that the user gave';
COMMENT ON COLUMN task_activity.choice IS 'for an assignment that the service chose: the number of performers, and the candidates with their open tasks';
