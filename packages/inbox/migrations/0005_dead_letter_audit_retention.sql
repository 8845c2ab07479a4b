-- min_version: 0.1.0
-- Entries of the audit stay append-only, except that this function deletes them by age.
CREATE FUNCTION retain_dead_letter_audit(entries_for interval, batch integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  removed integer;
BEGIN
  PERFORM set_config('taskwire.retains_dead_letter_audit', 'on', true);
  -- ids are UUIDv7, so they sort by time; an ARRAY is evaluated once
  DELETE FROM dead_letter_audit WHERE id = ANY (ARRAY(
    SELECT id FROM dead_letter_audit WHERE id < (SELECT uuidv7(-entries_for)) ORDER BY id LIMIT batch FOR UPDATE SKIP LOCKED
  ));
  GET DIAGNOSTICS removed = ROW_COUNT;
  PERFORM set_config('taskwire.retains_dead_letter_audit', 'off', true);
  RETURN removed;
END
$$;

CREATE OR REPLACE FUNCTION refuse_dead_letter_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('taskwire.retains_dead_letter_audit', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation', HINT = 'Only retain_dead_letter_audit() deletes entries, by age.';
END
$$;
