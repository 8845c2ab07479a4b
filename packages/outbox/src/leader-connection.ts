import { Socket } from 'node:net';
import { relayLock, type Partition } from '@taskwire/partitions';
import { pinSession, sessionName, sourceEpochOf } from '@taskwire/postgres';
import pg from 'pg';
import { notifyChannel } from './notifier.ts';

/**
 * The relay's own connection. It holds the lock that makes its process the leader, and every statement of the relay runs on it, one after the other.
 * If the connection is lost, so is the lock, and without the lock no statement runs.
 */
export type LeaderConnection = {
  /** Aborted with the reason when the connection is lost. */
  lost: AbortSignal;
  /** The published epoch of the database. It can be raised only while no connection is open. */
  sourceEpoch: number;
  /** Tries to take the lock of a partition. Resolves to whether it was free. */
  tryLock(partition: Partition): Promise<boolean>;
  /** Runs one statement. Values are returned in PostgreSQL's text format. A statement that times out destroys the connection. */
  run<R extends (string | null)[]>(statement: { name: string; text: string }, values?: unknown[]): Promise<R[]>;
  close(): Promise<void>;
};

const connectTimeoutMs = 5_000;
/**
 * A scan over a million dead rows takes about a second on a slow disk. A statement that takes longer than this limit means that the server is
 * unreachable.
 */
const statementTimeoutMs = 10_000;
const closeTimeoutMs = 1_000;

/**
 * The settings with which the server detects that this process has disappeared without closing the connection (a cut cable, a frozen machine or
 * process), so that it releases the lock. Without a statement: after 3 s, three times the poll interval. While sending: after 3 s without an
 * acknowledgement. While a statement runs: by checking the socket every second. With the standby's poll of one second, a failover takes less than 5
 * s.
 */
const deadPeerSettings = {
  idle_session_timeout: 3_000,
  tcp_user_timeout: 3_000,
  client_connection_check_interval: 1_000,
};

/**
 * Each statement is designed for one plan, which uses an index. Statistics taken while the queue was empty must not make PostgreSQL choose another
 * one.
 */
const planSettings = { enable_seqscan: 'off', enable_bitmapscan: 'off', plan_cache_mode: 'force_generic_plan' };

const keepText = { getTypeParser: () => (value: string) => value };

export async function openLeaderConnection(options: {
  url: string;
  name: string;
  onNotify: () => void;
}): Promise<LeaderConnection> {
  const socket = new Socket();
  const lost = new AbortController();
  const client = new pg.Client({
    connectionString: options.url,
    application_name: sessionName(options.name),
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 1_000,
    // our own socket, so that it can be destroyed: pg only closes it gracefully, and a dead peer never responds
    stream: () => socket,
    options: Object.entries({ ...deadPeerSettings, ...planSettings })
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  });
  const destroy = (reason: Error): void => {
    lost.abort(reason);
    socket.destroy();
  };
  client.on('error', destroy);
  client.on('end', () => destroy(new Error('the database closed the connection')));
  client.on('notification', options.onNotify);

  async function run<R extends (string | null)[]>(
    { name, text }: { name: string; text: string },
    values: unknown[] = [],
  ): Promise<R[]> {
    if (lost.signal.aborted) throw lost.signal.reason;
    const timer = setTimeout(
      () => destroy(new Error(`no response within ${statementTimeoutMs} ms: ${name}`)),
      statementTimeoutMs,
    );
    try {
      const result = await client.query<R>({ name, text, values, rowMode: 'array', types: keepText });
      return result.rows;
    } finally {
      clearTimeout(timer);
    }
  }

  let sourceEpoch: number;
  try {
    await client.connect();
    await pinSession(client);
    sourceEpoch = (await sourceEpochOf(client)).published;
    await run({ name: 'outbox.listen', text: `LISTEN ${notifyChannel}` });
  } catch (error) {
    socket.destroy();
    throw error;
  }

  return {
    lost: lost.signal,
    sourceEpoch,
    run,
    async tryLock({ index, count }) {
      const isTrue = async (name: string, call: string, key: string): Promise<boolean> => {
        const [row] = await run<[string]>({ name: `outbox.${name}`, text: `SELECT ${call}($1::bigint)` }, [key]);
        return row?.[0] === 't';
      };
      if (count === 1) return await isTrue('lock', 'pg_try_advisory_lock', relayLock);
      // A leader of one partition shares the lock that the leader of the whole outbox holds exclusively, so they exclude each other. A standby must
      // not hold this lock.
      const own = String(BigInt(relayLock) + 1n + BigInt(index));
      if (!(await isTrue('lock', 'pg_try_advisory_lock', own))) return false;
      if (await isTrue('share_lock', 'pg_try_advisory_lock_shared', relayLock)) return true;
      await isTrue('unlock', 'pg_advisory_unlock', own);
      return false;
    },
    async close() {
      const timer = setTimeout(() => socket.destroy(), closeTimeoutMs);
      await client.end().catch(() => undefined);
      clearTimeout(timer);
      destroy(new Error('closed by this side'));
    },
  };
}
