-- min_version: 0.3.0
-- Each change of what others see of a user, the name and the deletion, gets a number, by which a copy follows the changes (ADR 55).
ALTER TABLE directory_users ADD COLUMN change_no bigint;
COMMENT ON COLUMN directory_users.change_no IS 'the number of the last change of the name or of the deletion; numbers may commit in another order';
-- CACHE 1, so that a transaction gets each number while it holds the lock of its statement on the table
CREATE SEQUENCE directory_changes CACHE 1;

CREATE FUNCTION number_directory_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' OR OLD.change_no IS NULL OR (NEW.name, NEW.is_deleted) IS DISTINCT FROM (OLD.name, OLD.is_deleted) THEN
    NEW.change_no := nextval('directory_changes');
  ELSE
    NEW.change_no := OLD.change_no;
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER number_change BEFORE INSERT OR UPDATE ON directory_users FOR EACH ROW EXECUTE FUNCTION number_directory_change();
