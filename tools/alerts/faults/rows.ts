import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import type { World } from '../world.ts';

const recordBackup = fileURLToPath(new URL('../../../infra/postgres/pgbackrest/record-backup.sql', import.meta.url));
const dayMs = 86_400_000;

const backUp = async (sql: World['sql']) => await sql('auth', readFileSync(recordBackup, 'utf8'));

/** Faults of the backups, in this order: until the first has ended, there is no backup. Dated back, as those below. */
export const backupFaults: readonly Fault[] = [
  {
    title: 'PostgreSQL archives its log, and no backup was made for two days (dated back)',
    alerts: ['BackupIsOld'],
    async begin({ sql }) {
      const shift = async (sign: '-' | '+') =>
        await sql('auth', `UPDATE schema_migrations SET applied_at = applied_at ${sign} interval '2 days'`);
      await shift('-');
      return async () => {
        await backUp(sql);
        await shift('+');
      };
    },
  },
  {
    title: 'the last backup is two days old (dated back)',
    alerts: ['BackupIsOld'],
    async begin({ sql }) {
      const old = new Date(Date.now() - 2 * dayMs).toISOString();
      await sql('auth', `COMMENT ON DATABASE postgres IS 'last backup ${old}'`);
      return async () => await backUp(sql);
    },
  },
];

/** Faults that take days: instead of waiting, the drill dates a row back. Everything from the row to the alert is real. */
export const rowFaults: readonly Fault[] = [
  {
    title: 'the signing key was not replaced (dated back)',
    alerts: ['SigningKeyIsOld'],
    async begin({ sql }) {
      const shift = async (sign: '-' | '+') =>
        await sql(
          'auth',
          `UPDATE signing_keys SET signs_from = signs_from ${sign} interval '40 days' WHERE signs_from <= clock_timestamp()`,
        );
      await shift('-');
      return async () => await shift('+');
    },
  },
  {
    title: 'PostgreSQL cannot archive its log',
    alerts: ['ArchiveIsFailing'],
    async begin({ archive, sql }) {
      const switchLog = async () => await sql('auth', 'CHECKPOINT; SELECT pg_switch_wal()');
      archive('fails');
      await switchLog();
      return async () => {
        archive('works');
        await switchLog();
      };
    },
  },
  {
    title: 'retention does not delete a row (dated back)',
    alerts: ['RetentionIsOverdue'],
    // the services measure it once a minute
    patienceMs: 90_000,
    async begin({ sql }) {
      const key = 'overdue-row-of-the-drill';
      await sql(
        'tasks',
        `INSERT INTO idempotency_keys (actor_id, key, fingerprint, created_at) VALUES (uuidv7(), $1, '', now() - interval '30 days')`,
        [key],
      );
      return async () => await sql('tasks', 'DELETE FROM idempotency_keys WHERE key = $1', [key]);
    },
  },
  {
    title: 'a session holds a due schedule',
    alerts: ['SchedulesAreLate'],
    async begin({ call, connect }) {
      const target = { kind: 'task', title: 'Water the plants' };
      const { body } = await call('manager', 'POST', '/api/v1/schedules', {
        ...{ kind: 'cron', expression: '0 7 * * MON', time_zone: 'Europe/Berlin', target },
      });
      const [dating, holding] = [await connect('tasks'), await connect('tasks')];
      await dating.query('BEGIN');
      await dating.query(`UPDATE schedules SET due_at = clock_timestamp(), next_at = clock_timestamp() WHERE id = $1`, [
        body['id'],
      ]);
      await holding.query('BEGIN');
      // waits for the other session, and so gets the row before the scheduler, which skips locked rows
      const held = holding.query('SELECT FROM schedules WHERE id = $1 FOR UPDATE', [body['id']]);
      await delay(100);
      await dating.query('COMMIT');
      await held;
      await dating.end();
      return async () => await holding.end();
    },
  },
  {
    title: 'a session has changed a task whose reminder is due, and does not commit',
    alerts: ['RemindersAreLate', 'SyncIsBehind', 'SearchIsBehind'],
    async begin({ call, connect }) {
      const me = await call('ann', 'GET', '/api/v1/users/me');
      const { body } = await call('manager', 'POST', '/api/v1/tasks', {
        title: 'Water the plants',
        assignee_id: me.body['id'],
        due_at: new Date(Date.now() + dayMs + 2_000).toISOString(),
        remind_before: 'P1D',
      });
      const holding = await connect('tasks');
      await holding.query('BEGIN');
      await holding.query('UPDATE tasks SET title = title WHERE id = $1', [body['id']]);
      return async () => await holding.end();
    },
  },
  {
    title: 'a user directory lost an event',
    alerts: ['UserDirectoryDrift'],
    async begin({ sql }) {
      await sql(
        'tasks',
        `UPDATE directory_users SET version = version - 1, name = 'Lost', event_at = NULL WHERE email = 'cas@taskwire.test'`,
      );
      await sql(
        'tasks',
        `UPDATE directory_reconciliation SET full_completed_at = full_completed_at - interval '2 days'`,
      );
      // the reconciliation repairs it, and the alert looks back for an hour
      return () => Promise.resolve();
    },
  },
];
