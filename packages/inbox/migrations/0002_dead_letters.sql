-- Tries that found what the handler needs away: they use up no attempt, and are bounded by age instead.
ALTER TABLE inbox_retries
  ADD COLUMN uncounted   integer     NOT NULL DEFAULT 0,
  -- since when it is tried: when it came, or was replayed
  ADD COLUMN tried_since timestamptz NOT NULL DEFAULT now();

-- A dead letter that was replayed and never had a handler; the service looks for one.
ALTER TABLE dead_letters ADD COLUMN unrouted boolean NOT NULL DEFAULT false;
CREATE INDEX dead_letters_unrouted ON dead_letters (id) WHERE unrouted;

-- Who settled which dead letter, how, when and why. Rows are only ever added.
CREATE TABLE dead_letter_audit (
  id             uuid        PRIMARY KEY DEFAULT uuidv7(),
  dead_letter_id uuid        NOT NULL,
  -- as the dead letter has them, so that an entry can be read alone
  message_id     text,
  handler        text,
  type           text,
  action         text        NOT NULL CHECK (action IN ('replay', 'drop')),
  -- user:<uuid> for a user of the suite, os:<login>@<host> for one of a machine
  actor          text        NOT NULL,
  reason         text,
  at             timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX dead_letter_audit_by_letter ON dead_letter_audit (dead_letter_id, id);

CREATE FUNCTION refuse_dead_letter_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dead_letter_audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_dead_letter_audit_change();
