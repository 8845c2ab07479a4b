import { randomUUID } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase } from '@taskwire/testing';
import {
  createUserDirectory,
  userDirectoryMigrations,
  type Change,
  type UserDirectoryOptions,
  type UsersClient,
} from '../src/index.ts';
import { fakeAuth, type FakeAuth, type PublishedEvent } from './fake-auth.ts';

export type World = Awaited<ReturnType<typeof createWorld>>;

/** A directory on its own database, with a fake Auth. */
export async function createWorld(
  options: Partial<
    Pick<UserDirectoryOptions, 'refresh' | 'reconcile' | 'onApplied' | 'introduce' | 'requireVerifiedEmail'>
  > & {
    auth?: FakeAuth;
  } = {},
) {
  const { auth = fakeAuth(), ...directoryOptions } = options;
  const database = await testDatabase([userDirectoryMigrations]);
  const { db } = database;
  const telemetry = createTelemetry({ service: 'test', stream: silent() });
  const changes: Change[] = [];
  const directory = createUserDirectory({
    db,
    users: auth.users,
    telemetry,
    onApplied: async (_tx, change) => void changes.push(change),
    ...directoryOptions,
    // tests do not wait for the rate limit, except the test that sets it
    refresh: { perSecond: 10_000, ...directoryOptions.refresh },
  });
  return {
    auth,
    db,
    directory,
    telemetry,
    /** The calls of `onApplied`. */
    changes,
    /** Delivers events, each in its own transaction, as the inbox does. */
    async deliver(...all: PublishedEvent[]) {
      for (const { type, event, sourceEpoch } of all) {
        const handler = directory.handlers.find((candidate) => candidate.type === type);
        const outcome = await handler?.handle(event, {
          messageId: randomUUID(),
          type,
          aggregateId: event.user_id,
          sourceEpoch,
          attempt: 1,
          signal: AbortSignal.timeout(10_000),
        });
        if (outcome?.kind !== 'done') throw new Error(`${type} came to ${outcome?.kind ?? 'nothing'}`);
        await db.transaction(async (tx) => await outcome.effect?.(tx));
      }
    },
    /** Creates the directory of another process on the same database. */
    another(users: UsersClient = auth.users) {
      return createUserDirectory({ db, users, telemetry: createTelemetry({ service: 'other', stream: silent() }) });
    },
    /** Makes all stale rows due, as if their back-off had ended. */
    async skipBackOff() {
      await query(
        db.pool,
        'UPDATE directory_users SET next_fetch_at = clock_timestamp() WHERE stale_since IS NOT NULL',
      );
    },
    async row(id: string) {
      const [row] = await query<Row>(db.pool, 'SELECT * FROM directory_users WHERE id = $1', [id]);
      return row;
    },
    async metric(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
      const metric = await telemetry.metrics.getSingleMetric(name)?.get();
      const matches = (found: Partial<Record<string, string | number>>) =>
        Object.entries(labels).every(([label, value]) => found[label] === value);
      return metric?.values.find((value) => matches(value.labels))?.value;
    },
    drop: database.drop,
  };
}

type Row = {
  version: number;
  name: string | null;
  is_deleted: boolean;
  deletion_claimed_at: Date | null;
  tokens_valid_after: Date | null;
  stale_since: Date | null;
  next_fetch_at: Date | null;
  attempts: number;
  last_error: string | null;
};
