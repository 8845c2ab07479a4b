-- When the person of a session last proved who they are; null: when the session began.
ALTER TABLE sessions ADD COLUMN authenticated_at timestamptz;
