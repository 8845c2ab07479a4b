-- min_version: 0.2.0
-- The tasks of each label, for lists (ADR 53). An index on the labels of tasks would be written again by every change of a state.
CREATE TABLE task_labels (
  label   text COLLATE "C" NOT NULL,
  task_id uuid             NOT NULL,
  PRIMARY KEY (label, task_id)
);
COMMENT ON TABLE task_labels IS 'the labels of tasks that are not deleted, written only by triggers of tasks';

-- A trigger covers the writes of release 0.2.0, which does not know the table.
CREATE FUNCTION list_labels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM task_labels WHERE label = ANY (OLD.labels) AND task_id = OLD.id;
  END IF;
  IF NEW.deleted_at IS NULL THEN
    INSERT INTO task_labels (label, task_id) SELECT DISTINCT unnest(NEW.labels), NEW.id ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;

-- The conditions keep the function away from tasks without labels, and from changes that do not concern them.
CREATE TRIGGER list_new_labels AFTER INSERT ON tasks
  FOR EACH ROW WHEN (NEW.labels <> '{}') EXECUTE FUNCTION list_labels();
CREATE TRIGGER list_changed_labels AFTER UPDATE ON tasks
  FOR EACH ROW WHEN ((OLD.labels, OLD.deleted_at IS NULL) IS DISTINCT FROM (NEW.labels, NEW.deleted_at IS NULL)) EXECUTE FUNCTION list_labels();
