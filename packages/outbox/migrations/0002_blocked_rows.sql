-- rows that wait behind one that could not be published are called blocked everywhere
ALTER INDEX outbox_held RENAME TO outbox_blocked;

-- the relay no longer compares rows with an earlier snapshot (packages/outbox/src/reader.ts)
ALTER TABLE outbox DROP COLUMN xid;
