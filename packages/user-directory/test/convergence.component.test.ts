import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { query } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import type { Answer } from '@taskwire/http-client';
import { applyAccessEnd, applyDeletion, applyStates, type Change } from '../src/apply.ts';
import { noteChange } from '../src/events.ts';
import { claimStale, finishFetch, type Claim, type FetchTuning } from '../src/fetching.ts';
import { userDirectoryMigrations } from '../src/migrations.ts';
import { toUser, type UserRow, type UserState } from '../src/user.ts';
import { fakeAuth, type FakeAuth, type Told } from './fake-auth.ts';

/** No back-off, so that every row that is stale can be claimed at once. */
const tuning: FetchTuning = { gapMs: 0, backOffBaseMs: 0, backOffMaxMs: 0, behindTries: 3, unknownTries: 1_000_000 };

/**
 * What may happen, in any order. Numbers choose among what there is at that time. A read (of a user, of a page) and the use of what
 * was read are two steps, with anything in between: that is a slow fetch.
 */
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('create', 'change', 'change', 'end access', 'remove'),
      user: fc.nat(2),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('deliver', 'deliver again'), which: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('claim', 'read a page', 'read a page for a rebuild') }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('finish', 'fail', 'take the page'), which: fc.nat() }) },
);
type Step = { do: string; user?: number; which?: number };

describe('A user directory, whatever happens in whatever order', () => {
  let database: TestDatabase;

  before(async () => {
    database = await testDatabase([userDirectoryMigrations]);
  });
  after(async () => await database.drop());

  it("ends in Auth's state when every event arrives at last, without any sweep", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), async (steps) => {
        const world = await createWorld();
        for (const each of steps) if (!each.do.includes('page')) await world.run(each);
        await world.deliverAll();
        await world.settle();
        await world.expectAuthsState();
      }),
      { numRuns: 200 },
    );
  });

  it("ends in Auth's state when events are lost and a sweep comes after, and no deleted user ever comes back", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), async (steps) => {
        const world = await createWorld();
        for (const each of steps) await world.run(each);
        await world.sweep();
        await world.settle();
        await world.expectAuthsState();
      }),
      { numRuns: 200 },
    );
  });

  async function createWorld() {
    const { db } = database;
    await query(db.pool, 'TRUNCATE directory_users');
    const auth: FakeAuth = fakeAuth();
    const ids = [randomUUID(), randomUUID(), randomUUID()];
    const undelivered: Told[] = [];
    const delivered: Told[] = [];
    const fetches: { claimed: Claim; answer: Answer<UserState> }[] = [];
    const pages: { states: UserState[]; askedAt: string | null }[] = [];
    /** What somebody who only listens to `onApplied` believes. */
    const heard = new Map<string, Change['after']>();
    const seen = new Map<string, { version: number; is_deleted: boolean }>();

    const onApplied = async (_tx: unknown, { before, after }: Change) => {
      // a higher version alone is not told
      const last = heard.get(after.id);
      const expected = last && before && { ...last, version: before.version };
      expect(before, 'each change starts where the last one ended').to.deep.equal(expected);
      heard.set(after.id, after);
    };

    async function deliver({ type, event }: Told): Promise<void> {
      await db.transaction(async (tx) => {
        if (type === 'auth.user.deleted') await applyDeletion(tx, event.user_id, event.timestamp, onApplied);
        else await noteChange(tx, event, tuning.gapMs);
        if (type === 'auth.account.access_ended') await applyAccessEnd(tx, event.user_id, event.timestamp, onApplied);
      });
    }

    async function finish(which: number, answer?: Answer<UserState>): Promise<void> {
      const [fetched] = fetches.splice(which % Math.max(1, fetches.length), 1);
      if (fetched === undefined) return;
      await db.transaction(
        async (tx) => await finishFetch(tx, fetched.claimed, answer ?? fetched.answer, tuning, onApplied),
      );
    }

    async function claim(): Promise<void> {
      // leases that end at once: a row may be fetched by two at the same time
      for (const claimed of await claimStale(db.pool, 10, 0)) fetches.push({ claimed, answer: auth.read(claimed.id) });
    }

    async function takePage(which: number): Promise<void> {
      const [page] = pages.splice(which % Math.max(1, pages.length), 1);
      if (page === undefined) return;
      await db.transaction(async (tx) => await applyStates(tx, page.states, onApplied, page.askedAt));
    }

    async function checkNothingWentBack(): Promise<void> {
      const rows = await query<{ id: string; version: number; is_deleted: boolean }>(
        db.pool,
        'SELECT id, version, is_deleted FROM directory_users',
      );
      for (const { id, ...row } of rows) {
        const before = seen.get(id);
        expect(before?.is_deleted === true && !row.is_deleted, 'a deleted user came back').to.equal(false);
        expect(row.version).to.be.at.least(before?.version ?? 0);
        seen.set(id, row);
      }
    }

    async function run({ do: what, user = 0, which = 0 }: Step): Promise<void> {
      const id = ids[user] ?? '';
      const state = auth.state(id);
      if (what === 'create' && state === undefined) undelivered.push(auth.create(id));
      if (what === 'change' && state?.is_deleted === false) undelivered.push(auth.change(id));
      if (what === 'end access' && state?.is_deleted === false) undelivered.push(...auth.endAccess(id));
      if (what === 'remove' && state?.is_deleted === false) undelivered.push(auth.remove(id));
      if (what === 'deliver') {
        const [told] = undelivered.splice(which % Math.max(1, undelivered.length), 1);
        if (told !== undefined) delivered.push(told);
        if (told !== undefined) await deliver(told);
      }
      const again = delivered[which % Math.max(1, delivered.length)];
      if (what === 'deliver again' && again !== undefined) await deliver(again);
      if (what === 'claim') await claim();
      if (what === 'finish') await finish(which);
      if (what === 'fail') await finish(which, { kind: 'unavailable', reason: 'status', detail: '500' });
      if (what.startsWith('read a page')) {
        const [clock] = await query<{ now: string }>(db.pool, 'SELECT clock_timestamp()::text AS now');
        pages.push({ states: auth.states(), askedAt: what.endsWith('rebuild') ? (clock?.now ?? null) : null });
      }
      if (what === 'take the page') await takePage(which);
      await checkNothingWentBack();
    }

    return {
      run,
      async deliverAll() {
        for (const told of undelivered.splice(0)) await deliver(told);
      },
      async sweep() {
        pages.push({ states: auth.states(), askedAt: null });
        while (pages.length > 0) await takePage(pages.length - 1);
        await checkNothingWentBack();
      },
      /** Fetches until nothing is stale. Nothing changes in Auth meanwhile, so that takes a few rounds at most. */
      async settle() {
        for (let round = 0; round < 10; round++) {
          await query(
            db.pool,
            'UPDATE directory_users SET next_fetch_at = clock_timestamp() WHERE stale_since IS NOT NULL',
          );
          await claim();
          if (fetches.length === 0) return;
          while (fetches.length > 0) await finish(0);
          await checkNothingWentBack();
        }
        throw new Error('rows are still stale');
      },
      async expectAuthsState() {
        const rows = await query<UserRow>(
          db.pool,
          `SELECT id, email, name, role, version, is_deleted, tokens_valid_after, fetched_at FROM directory_users`,
        );
        const shape = (id: string, name: string | null, endedAt: Date | null) => ({
          id,
          name,
          ended: endedAt?.getTime(),
        });
        const expected = auth
          .states()
          .map(({ id, name, is_deleted: deleted, tokens_valid_after: endedAt }) =>
            deleted ? { id } : shape(id, name, endedAt === null ? null : new Date(endedAt)),
          );
        const seenAs = (user: Change['after'] | undefined) =>
          user?.isDeleted === false ? shape(user.id, user.name, user.tokensValidAfter) : { id: user?.id };
        expect(rows.map((row) => seenAs(toUser(row)))).to.have.deep.members(expected);
        const listener = [...heard.values()].map(seenAs);
        expect(listener, 'what onApplied told').to.have.deep.members(expected);
      },
    };
  }
});
