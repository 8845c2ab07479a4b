-- min_version: 0.2.0
-- Each change of a task gets a number, by which copies and the search follow the changes (ADR 53).
ALTER TABLE tasks ADD COLUMN change_no bigint;
COMMENT ON COLUMN tasks.change_no IS 'the number of the last change; numbers may commit in another order';
-- CACHE 1, so that a transaction gets each number while it holds the lock of its statement on the table
CREATE SEQUENCE task_changes CACHE 1;

-- A trigger covers the writes of release 0.2.0, and every update, which a default would not.
CREATE FUNCTION number_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.change_no := nextval('task_changes');
  RETURN NEW;
END
$$;
CREATE TRIGGER number_change BEFORE INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION number_change();
