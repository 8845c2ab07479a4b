import { Socket } from 'node:net';
import { pinSession } from '@taskwire/postgres';
import pg from 'pg';
import { notifyChannel } from './waker.ts';

/**
 * The relay's own connection. It holds the lock that makes its process the owner, and everything that the relay does in the database goes
 * through it, one statement after the other: without the connection there is no lock, and without the lock no statement.
 */
export type OwnerConnection = {
  /** Aborted when the connection is lost, with the reason. */
  lost: AbortSignal;
  /** Takes the lock, if nobody has it. */
  tryLock(): Promise<boolean>;
  /** Runs one statement; values come as PostgreSQL's text. A statement beyond its time destroys the connection. */
  run<R extends (string | null)[]>(statement: { name: string; text: string }, values?: unknown[]): Promise<R[]>;
  close(): Promise<void>;
};

/** The bytes of "outbox" as a bigint. Advisory locks belong to one database, and so does an outbox: no more is needed. */
const relayLock = '122550254464888';
const connectTimeoutMs = 5_000;
/** A scan over a million dead rows takes about a second on a slow disk. Beyond this the server, or the way to it, is gone. */
const statementTimeoutMs = 10_000;
const closeTimeoutMs = 1_000;

/**
 * How the server finds out that this side is gone without a word (a cut cable, a machine or process that is frozen), and with that frees the
 * lock: after 3 s without a statement, three times what passes between two polls; when it is sending, after 3 s without an acknowledgement;
 * and while a statement runs, by a look at the socket every second. With the standby's poll of a second a takeover stays below 5 s.
 */
const deadPeerSettings = {
  idle_session_timeout: 3_000,
  tcp_user_timeout: 3_000,
  client_connection_check_interval: 1_000,
};

/** The statements are made for one plan each, by index; statistics of a queue that was empty when they were taken must not talk PostgreSQL out of it. */
const planSettings = { enable_seqscan: 'off', enable_bitmapscan: 'off', plan_cache_mode: 'force_generic_plan' };

const keepText = { getTypeParser: () => (value: string) => value };

export async function openOwnerConnection(options: {
  url: string;
  name: string;
  onNotify: () => void;
}): Promise<OwnerConnection> {
  const socket = new Socket();
  const lost = new AbortController();
  const client = new pg.Client({
    connectionString: options.url,
    application_name: options.name,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 1_000,
    // ours, to be able to destroy it: pg only ends it politely, and a dead peer never answers
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
      () => destroy(new Error(`no answer within ${statementTimeoutMs} ms: ${name}`)),
      statementTimeoutMs,
    );
    try {
      const result = await client.query<R>({ name, text, values, rowMode: 'array', types: keepText });
      return result.rows;
    } finally {
      clearTimeout(timer);
    }
  }

  try {
    await client.connect();
    await pinSession(client);
    await run({ name: 'outbox listen', text: `LISTEN ${notifyChannel}` });
  } catch (error) {
    socket.destroy();
    throw error;
  }

  return {
    lost: lost.signal,
    run,
    async tryLock() {
      const [row] = await run<[string]>({ name: 'outbox lock', text: 'SELECT pg_try_advisory_lock($1::bigint)' }, [
        relayLock,
      ]);
      return row?.[0] === 't';
    },
    async close() {
      const timer = setTimeout(() => socket.destroy(), closeTimeoutMs);
      await client.end().catch(() => undefined);
      clearTimeout(timer);
      destroy(new Error('closed by this side'));
    },
  };
}
