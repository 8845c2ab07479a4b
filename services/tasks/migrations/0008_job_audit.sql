-- min_version: 0.2.0
-- What people did to jobs. Written in the transaction of the change.
CREATE TABLE job_audit (
  id     uuid        PRIMARY KEY DEFAULT uuidv7(),
  job_id uuid        NOT NULL,
  action text        NOT NULL CHECK (action IN ('cancel', 'replay', 'drop')),
  actor  text        NOT NULL,
  reason text,
  at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN job_audit.actor IS 'user:<uuid> or client:<id>';
CREATE INDEX job_audit_by_job ON job_audit (job_id, id);
CREATE INDEX job_audit_by_age ON job_audit (at);
