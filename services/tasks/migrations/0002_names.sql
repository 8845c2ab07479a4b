-- Names only: constraints say which rule they enforce (subject_rule), and the stored response is called one.
ALTER TABLE tasks RENAME CONSTRAINT a_draft_has_no_performer TO tasks_draft_has_no_assignee;
ALTER TABLE tasks RENAME CONSTRAINT who_works_is_named TO tasks_started_has_assignee;
ALTER TABLE tasks RENAME CONSTRAINT only_drafts_await TO tasks_only_drafts_await_performer;
ALTER TABLE idempotency_keys RENAME COLUMN answer TO response_body;

COMMENT ON COLUMN tasks.awaiting_performer IS 'a draft that lost its assignee when no other user was a performer';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'SHA-256 of method, path and body: the same key with a different request is rejected';
