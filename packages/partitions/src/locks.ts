/**
 * The advisory lock of an outbox's leader: the bytes of "outbox" as a bigint. The leader of the whole outbox holds the lock exclusively; leaders of
 * single partitions share it. Advisory locks are scoped to one database, like an outbox, so no further key is needed.
 */
export const relayLock = '122550254464888';

/** The advisory lock for a change of the number of partitions, so that only one change runs at a time: the bytes of "parts" as a bigint. */
export const changeLock = '482854990963';
