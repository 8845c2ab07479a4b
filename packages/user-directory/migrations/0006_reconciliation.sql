-- The comparison with Auth is called a reconciliation everywhere, and its lease and positions have the usual names.
ALTER TABLE directory_sweep RENAME TO directory_reconciliation;
ALTER TABLE directory_reconciliation RENAME COLUMN holder TO lease_owner;
ALTER TABLE directory_reconciliation RENAME COLUMN held_until TO lease_expires_at;
ALTER TABLE directory_reconciliation RENAME COLUMN seen_up_to TO high_watermark;
ALTER TABLE directory_reconciliation RENAME COLUMN caught_up_to TO complete_up_to;
ALTER TABLE directory_reconciliation RENAME CONSTRAINT directory_sweep_pkey TO directory_reconciliation_pkey;
ALTER TABLE directory_reconciliation RENAME CONSTRAINT directory_sweep_kind_check TO directory_reconciliation_kind_check;
ALTER TABLE directory_reconciliation RENAME CONSTRAINT directory_sweep_singleton_check TO directory_reconciliation_singleton_check;

ALTER TABLE directory_users RENAME COLUMN told TO event_count;
