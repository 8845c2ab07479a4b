import { expect } from 'chai';
import { startFaultProxy } from '@taskwire/process-supervisor';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, type TestDatabase } from '@taskwire/testing';
import { createDatabase, query, type Database, type LastWork } from '../src/index.ts';

const insert = 'INSERT INTO things VALUES ($1)';

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => expect.fail('it succeeded'),
    (error: unknown) => error,
  );
}

describe('a transaction', () => {
  let test: TestDatabase;
  let db: Database;
  let id = 0;
  const isStored = async (wanted: number) =>
    (await query(test.db.pool, 'SELECT FROM things WHERE id = $1', [wanted])).length === 1;

  before(async () => {
    test = await testDatabase([]);
    db = test.db;
    await query(
      db.pool,
      'CREATE TABLE things (id integer PRIMARY KEY, other integer UNIQUE DEFERRABLE INITIALLY DEFERRED)',
    );
  });
  beforeEach(() => (id += 10));
  after(async () => await test.drop());

  it('runs hints once, after its commit', async () => {
    const seen: boolean[] = [];
    let sawBefore = true;
    const hint = () => seen.push(sawBefore);
    await db.transaction(async (tx) => {
      tx.afterCommit(hint);
      await tx.query(insert, [id]);
      tx.afterCommit(hint);
      sawBefore = await isStored(id);
      expect(seen).to.deep.equal([]);
    });
    expect(seen, 'once, and others did not see the row before').to.deep.equal([false]);
    expect(await isStored(id)).to.equal(true);
  });

  it('runs no hint when it rolls back because of an error, a failed statement or a failed commit', async () => {
    let hints = 0;
    const hint = () => (hints += 1);
    await failureOf(
      db.transaction(async (tx) => {
        tx.afterCommit(hint);
        await tx.query(insert, [id]);
        throw new Error('no');
      }),
    );
    await failureOf(
      db.transaction(async (tx) => {
        tx.afterCommit(hint);
        await tx.query('SELECT nonsense');
      }),
    );
    const deferred = await failureOf(
      db.transaction(async (tx) => {
        tx.afterCommit(hint);
        await tx.query('INSERT INTO things VALUES ($1, 1), ($2, 1)', [id, id + 1]);
      }),
    );
    expect(deferred).to.have.property('code', '23505');
    expect([hints, await isStored(id)]).to.deep.equal([0, false]);
  });

  it('fails when the error of a statement was ignored, because COMMIT then rolls back', async () => {
    let hints = 0;
    const error = await failureOf(
      db.transaction(async (tx) => {
        tx.afterCommit(() => (hints += 1));
        await tx.query(insert, [id]);
        await tx.query('SELECT nonsense').catch(() => undefined);
      }),
    );
    expect(String(error)).to.contain('COMMIT rolled back');
    expect([hints, await isStored(id)]).to.deep.equal([0, false]);
  });

  it('runs hints when the response to COMMIT is lost', async () => {
    const proxy = await startFaultProxy({ targetPort: Number(new URL(test.url).port) });
    const url = new URL(test.url);
    url.port = String(proxy.port);
    const telemetry = createTelemetry({ service: 'test', stream: silent() });
    const far = await createDatabase({ url: url.href, poolSize: 1, applicationName: 'test', telemetry });
    let hints = 0;
    const error = await failureOf(
      far.transaction(async (tx) => {
        tx.afterCommit(() => (hints += 1));
        await tx.query(insert, [id]);
        tx.beforeCommit({ order: 1, run: async () => proxy.reset() });
      }),
    );
    expect(error).to.have.property('code', 'unavailable');
    expect(hints).to.equal(1);
    await far.close();
    await proxy.stop();
  });

  it('runs each `beforeCommit` callback once, in order, including callbacks that another one registers', async () => {
    const ran: string[] = [];
    const work = (name: string, order: number, then?: LastWork): LastWork => ({
      order,
      async run(tx) {
        ran.push(name);
        if (then) tx.beforeCommit(then);
        await tx.query(insert, [id + order]);
      },
    });
    const first = work('first', 1);
    const third = work('third', 3);
    const second = work('second', 2, third);
    await db.transaction(async (tx) => {
      for (const wanted of [second, first, second]) tx.beforeCommit(wanted);
      await tx.query(insert, [id]);
      expect(ran).to.deep.equal([]);
    });
    expect(ran).to.deep.equal(['first', 'second', 'third']);
    expect(await isStored(id + 3)).to.equal(true);
  });

  it('rolls back when a `beforeCommit` callback fails', async () => {
    await failureOf(
      db.transaction(async (tx) => {
        await tx.query(insert, [id]);
        tx.beforeCommit({
          order: 1,
          async run() {
            throw new Error('no');
          },
        });
      }),
    );
    expect(await isStored(id)).to.equal(false);
  });

  it('is unaffected by a hint that throws, as are the other hints', async () => {
    let hints = 0;
    const result = await db.transaction(async (tx) => {
      tx.afterCommit(() => {
        throw new Error('no');
      });
      tx.afterCommit(() => (hints += 1));
      return 'done';
    });
    expect([result, hints]).to.deep.equal(['done', 1]);
  });

  it('keeps its hints separate from those of concurrent transactions', async () => {
    const hints: string[] = [];
    const run = async (name: string) =>
      await db.transaction(async (tx) => {
        tx.afterCommit(() => hints.push(name));
        await tx.query('SELECT');
        if (name === 'b') throw new Error('no');
      });
    await Promise.allSettled(['a', 'b', 'c'].map(run));
    expect(hints.toSorted()).to.deep.equal(['a', 'c']);
  });

  it('rejects statements after its end', async () => {
    let kept: Parameters<Parameters<Database['transaction']>[0]>[0] | undefined;
    await db.transaction(async (tx) => void (kept = tx));
    expect(String(await failureOf(query(kept ?? expect.fail('no tx'), 'SELECT')))).to.contain('has ended');
  });

  it('waits for a lock no longer than its limit', async () => {
    await query(db.pool, insert, [id]);
    await db.transaction(async (holder) => {
      await holder.query('SELECT FROM things WHERE id = $1 FOR UPDATE', [id]);
      const waiting = db.transaction(async (tx) => await tx.query('DELETE FROM things WHERE id = $1', [id]), {
        lockTimeoutMs: 50,
      });
      expect(await failureOf(waiting)).to.have.nested.property('cause.code', '55P03');
    });
  });

  describe('of one statement', () => {
    it('runs its hint after the commit, and not when the statement failed', async () => {
      let hints = 0;
      const hint = () => (hints += 1);
      expect(await db.run({ text: `${insert} RETURNING id`, values: [id] }, hint)).to.deep.equal([{ id }]);
      expect(hints).to.equal(1);
      await failureOf(db.run({ text: insert, values: [id] }, hint));
      expect(hints).to.equal(1);
    });
  });
});
