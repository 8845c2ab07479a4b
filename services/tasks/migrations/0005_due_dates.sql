-- min_version: 0.2.0
-- Due dates on the wall clock of a time zone, and reminders of them.
ALTER TABLE tasks
  ADD COLUMN due_time_zone text,
  ADD COLUMN due_all_day boolean NOT NULL DEFAULT false,
  ADD COLUMN remind_before text NOT NULL DEFAULT 'P1D';
COMMENT ON COLUMN tasks.due_time_zone IS 'IANA name';
COMMENT ON COLUMN tasks.due_all_day IS 'due_at is the last microsecond of a day in due_time_zone';
COMMENT ON COLUMN tasks.remind_before IS 'ISO 8601 duration; its days are days in due_time_zone, or in UTC';

-- Written only while the row of the task is locked: by the triggers below, and by the process that sends the reminder.
CREATE TABLE task_reminders (
  task_id    uuid        NOT NULL REFERENCES tasks ON DELETE CASCADE,
  kind       text        NOT NULL CHECK (kind IN ('due_soon', 'overdue')),
  due_at     timestamptz NOT NULL,
  remind_at  timestamptz NOT NULL,
  state      text        NOT NULL DEFAULT 'armed' CHECK (state IN ('armed', 'sent', 'skipped')),
  settled_at timestamptz,
  PRIMARY KEY (task_id, kind, due_at),
  CONSTRAINT task_reminders_settled_has_time CHECK ((state = 'armed') = (settled_at IS NULL))
);
COMMENT ON COLUMN task_reminders.state IS 'a reminder that is disarmed is deleted; one that was sent or skipped stays, so that it is never sent again';
CREATE INDEX task_reminders_armed ON task_reminders (remind_at) WHERE state = 'armed';

-- The time of the first reminder. A zone that this server does not know counts as UTC: writes of a task never fail because of it.
CREATE FUNCTION reminder_time(due_at timestamptz, remind_before text, zone text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF zone IS NOT NULL THEN
    BEGIN
      RETURN date_subtract(due_at, remind_before::interval, zone);
    EXCEPTION WHEN invalid_parameter_value THEN
      NULL;
    END;
  END IF;
  RETURN date_subtract(due_at, remind_before::interval, 'UTC');
END
$$;

-- Arms the reminders of a task for its due date, and disarms those of an earlier due date or of a task that has ended. A trigger covers the writes of
-- release 0.2.0, which knows no reminders.
CREATE FUNCTION arm_reminders() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  has_reminders boolean := NEW.due_at IS NOT NULL AND NEW.deleted_at IS NULL AND NEW.state NOT IN ('completed', 'cancelled');
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM task_reminders
    WHERE task_id = NEW.id AND state = 'armed' AND (NOT has_reminders OR due_at <> NEW.due_at);
  END IF;
  IF has_reminders THEN
    INSERT INTO task_reminders AS reminder (task_id, kind, due_at, remind_at)
    VALUES
      (NEW.id, 'due_soon', NEW.due_at, reminder_time(NEW.due_at, NEW.remind_before, NEW.due_time_zone)),
      (NEW.id, 'overdue', NEW.due_at, NEW.due_at)
    ON CONFLICT (task_id, kind, due_at) DO UPDATE SET remind_at = excluded.remind_at
    WHERE reminder.state = 'armed' AND reminder.remind_at <> excluded.remind_at;
  END IF;
  RETURN NULL;
END
$$;

-- The conditions keep the function away from tasks without a due date, and from changes that do not concern it.
CREATE TRIGGER arm_new_reminders AFTER INSERT ON tasks
  FOR EACH ROW WHEN (NEW.due_at IS NOT NULL) EXECUTE FUNCTION arm_reminders();
CREATE TRIGGER arm_changed_reminders AFTER UPDATE ON tasks
  FOR EACH ROW WHEN (
    (OLD.due_at IS NOT NULL OR NEW.due_at IS NOT NULL)
    AND (OLD.due_at, OLD.remind_before, OLD.due_time_zone, OLD.deleted_at IS NULL, OLD.state IN ('completed', 'cancelled'))
      IS DISTINCT FROM
      (NEW.due_at, NEW.remind_before, NEW.due_time_zone, NEW.deleted_at IS NULL, NEW.state IN ('completed', 'cancelled'))
  ) EXECUTE FUNCTION arm_reminders();
