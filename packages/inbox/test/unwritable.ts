import { expect } from 'chai';
import type { HandlerContext } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import {
  recordEffect,
  retryAtOnce,
  testEvents,
  testHandler,
  useInboxHarness,
  waitFor,
  type InboxHarness,
} from '@taskwire/testing';

/** A fault in which a database accepts reads and rejects writes, and its repair. */
export type Fault = { break(harness: InboxHarness): Promise<void>; heal(harness: InboxHarness): Promise<void> };

export function refusing(table: string, state: string): Fault {
  return {
    break: async ({ database }) =>
      void (await query(
        database.db.pool,
        `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '${state}'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION refuse()`,
      )),
    heal: async ({ database }) => void (await query(database.db.pool, 'DROP FUNCTION refuse() CASCADE')),
  };
}

export function readOnly(): Fault {
  const set = (value: string): Fault['break'] => {
    return async ({ database }) => {
      const name = new URL(database.url).pathname.slice(1);
      await query(database.db.pool, `ALTER DATABASE ${name} SET default_transaction_read_only = ${value}`);
      await query(
        database.db.pool,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'consumer %'`,
      );
    };
  };
  return { break: set('on'), heal: set('off') };
}

export function locked(table: string): Fault {
  let release = async (): Promise<void> => undefined;
  return {
    async break({ database }) {
      const holder = await database.db.pool.connect();
      await holder.query('BEGIN');
      await holder.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
      release = async () => {
        await holder.query('COMMIT');
        holder.release();
      };
    },
    heal: async () => await release(),
  };
}

/** Tests that during these faults no message is lost, duplicated or counted as failed. */
export function testUnwritable(faults: Readonly<Record<string, Fault>>): void {
  const harness = useInboxHarness();

  for (const [what, fault] of Object.entries(faults)) {
    it(`handles every message once, and uses up no attempt, when it ${what}`, async function () {
      this.timeout(60_000);
      let refused = 0;
      const decide = (context: HandlerContext) => {
        refused += 1;
        return recordEffect(context);
      };
      // one counted attempt would be the last
      const inbox = await harness.start([testHandler({ decide })], {
        limits: { ...retryAtOnce, maxAttempts: 1, maxCrashes: 1 },
      });
      await harness.consuming();
      await fault.break(harness);
      const events = testEvents(5);
      await harness.publish(...events);
      // an attempt has failed, or no message has been accepted yet
      await waitFor(async () => refused > 0 || (await waitingFor(harness)));
      await fault.heal(harness);
      await waitFor(
        async () => {
          await inbox.tick();
          return (await harness.effects()).length === events.length;
        },
        { timeoutMs: 30_000, what: 'every message to take effect' },
      );
      expect((await harness.effects()).toSorted()).to.deep.equal(events.map(({ messageId }) => messageId).toSorted());
      expect(await harness.rows('dead_letters')).to.deep.equal([]);
    });
  }
}

/** Whether the consumer has detected the fault before any handler ran. */
async function waitingFor({ database }: InboxHarness): Promise<boolean> {
  const sql = `SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'consumer %' AND query LIKE '%write_probe%'`;
  return (await query(database.db.pool, sql)).length > 0;
}
