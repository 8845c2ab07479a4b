ALTER TABLE audit_log
  -- the application that was used; null for the command line and the service itself, and for a client that could not prove who it is
  ADD COLUMN client_id         text,
  -- what the caller calls its request; request_id is ours
  ADD COLUMN client_request_id text;
CREATE INDEX audit_log_client ON audit_log (client_id, at, id) WHERE client_id IS NOT NULL;
