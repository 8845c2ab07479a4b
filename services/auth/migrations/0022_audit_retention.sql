-- An ARRAY is evaluated once. PostgreSQL may turn IN (SELECT … LIMIT … FOR UPDATE SKIP LOCKED) into a join that repeats the subquery for each row,
-- finds other rows each time, and so takes more than a batch.
CREATE OR REPLACE FUNCTION retain_audit_log(origins_for interval, entries_for interval, batch integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  removed   integer;
  forgotten integer;
BEGIN
  PERFORM set_config('taskwire.retains_audit_log', 'on', true);
  DELETE FROM audit_log WHERE id = ANY (ARRAY(
    SELECT id FROM audit_log WHERE at < clock_timestamp() - entries_for ORDER BY at LIMIT batch FOR UPDATE SKIP LOCKED
  ));
  GET DIAGNOSTICS removed = ROW_COUNT;
  UPDATE audit_log SET ip = NULL, user_agent = NULL WHERE id = ANY (ARRAY(
    SELECT id FROM audit_log
    WHERE at < clock_timestamp() - origins_for AND (ip IS NOT NULL OR user_agent IS NOT NULL)
    ORDER BY at LIMIT batch FOR UPDATE SKIP LOCKED
  ));
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  PERFORM set_config('taskwire.retains_audit_log', 'off', true);
  RETURN greatest(removed, forgotten);
END
$$;
