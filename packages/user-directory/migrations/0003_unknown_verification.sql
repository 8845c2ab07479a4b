-- What a full sweep is due for, see sweep-state.ts: rows from before it was kept whether the address is verified.
CREATE INDEX directory_users_unknown_verification ON directory_users (id)
  WHERE email_verified IS NULL AND fetched_at IS NOT NULL AND NOT is_deleted;

-- at once, not a day after the last one
UPDATE directory_sweep SET full_completed_at = NULL;
