import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { query } from '@taskwire/postgres';
import { propertyRuns, propertyTimeoutMs, testDatabase, type TestDatabase } from '@taskwire/testing';
import type { Answer } from '@taskwire/http-client';
import type { Change } from '../src/applied-change.ts';
import { applyStates } from '../src/apply.ts';
import { claimStale, finishFetch, type Claim, type FetchTuning } from '../src/fetching.ts';
import { userDirectoryMigrations } from '../src/migrations.ts';
import { recordEvent } from '../src/record-event.ts';
import { toUser, type UserRow, type UserState } from '../src/user.ts';
import { fakeAuth, type FakeAuth, type PublishedEvent } from './fake-auth.ts';

/** No back-off, so that every row that is stale can be claimed at once. */
const tuning: FetchTuning = { gapMs: 0, backOff: { baseMs: 0, capMs: 0 }, behindTries: 3, unknownTries: 1_000_000 };

/**
 * Steps in any order. Numbers choose among the candidates at that time. Reading a user or a page and using the result are two separate steps, with
 * any other steps in between, which simulates a slow fetch.
 */
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('create', 'change', 'change', 'end access', 'remove', 'revive'),
      user: fc.nat(2),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('forge a deletion', 'forge an end of access'),
      user: fc.nat(2),
      // now, or in an hour
      which: fc.nat(1),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('deliver', 'deliver again'), which: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('claim', 'read a page', 'read a page for a rebuild') }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('finish', 'fail', 'take the page'), which: fc.nat() }) },
);
type Step = { do: string; user?: number; which?: number };

/** The same steps, and also backups and restores of Auth. */
const stepOrRestore: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: step },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('back up', 'restore', 'restore') }) },
);

/** Orders of steps that random choice rarely produces. Each made the test fail when a condition of the statements was removed. */
const rareOrders: Step[][] = [
  // a fetch from before the deletion ends after the fetch that returned 410
  [
    { do: 'create', user: 0 },
    { do: 'deliver', which: 0 },
    { do: 'claim' },
    { do: 'remove', user: 0 },
    { do: 'deliver', which: 0 },
    { do: 'claim' },
    { do: 'finish', which: 1 },
    { do: 'finish', which: 0 },
  ],
  // the same order, with a page of a reconciliation
  [
    { do: 'create', user: 0 },
    { do: 'deliver', which: 0 },
    { do: 'read a page' },
    { do: 'read a page for a rebuild' },
    { do: 'remove', user: 0 },
    { do: 'deliver', which: 0 },
    { do: 'claim' },
    { do: 'finish', which: 0 },
    { do: 'take the page', which: 0 },
    { do: 'take the page', which: 0 },
  ],
  // a page of a rebuild, read before the deletion, has the same version as a row that a fetch has found deleted
  [
    { do: 'create', user: 2 },
    { do: 'deliver', which: 0 },
    { do: 'read a page for a rebuild' },
    { do: 'read a page for a rebuild' },
    { do: 'change', user: 2 },
    { do: 'take the page', which: 0 },
    { do: 'deliver', which: 0 },
    { do: 'remove', user: 2 },
    { do: 'claim' },
    { do: 'finish', which: 0 },
    { do: 'take the page', which: 0 },
    { do: 'deliver', which: 0 },
  ],
  // a forged end of access, dated one hour ahead, arrives before the user is deleted and restored
  [
    { do: 'create', user: 1 },
    { do: 'forge an end of access', user: 1, which: 1 },
    { do: 'deliver', which: 0 },
    { do: 'deliver', which: 0 },
    { do: 'remove', user: 1 },
    { do: 'claim' },
    { do: 'finish', which: 0 },
    { do: 'revive', user: 1 },
    { do: 'deliver', which: 0 },
  ],
  // of three concurrent fetches, the last to end returns a 410 from before the account was restored
  [
    { do: 'create', user: 2 },
    { do: 'deliver', which: 0 },
    { do: 'claim' },
    { do: 'fail', which: 0 },
    { do: 'remove', user: 2 },
    { do: 'claim' },
    { do: 'claim' },
    { do: 'revive', user: 2 },
    { do: 'fail', which: 0 },
    { do: 'claim' },
  ],
  // a 410 from before the account was restored ends after the fetch that found it restored
  [
    { do: 'create', user: 0 },
    { do: 'remove', user: 0 },
    { do: 'deliver', which: 0 },
    { do: 'claim' },
    { do: 'revive', user: 0 },
    { do: 'claim' },
    { do: 'finish', which: 1 },
    { do: 'finish', which: 0 },
  ],
];

/** Orders of steps with reconciliations. */
const rareOrdersOfPages: Step[][] = [
  // two pages are applied after the second of two deletions; the first page shows the first deletion, and the second page the restored user
  [
    { do: 'create', user: 2 },
    { do: 'remove', user: 2 },
    { do: 'read a page for a rebuild' },
    { do: 'revive', user: 2 },
    { do: 'read a page for a rebuild' },
    { do: 'remove', user: 2 },
    { do: 'take the page', which: 0 },
    { do: 'take the page', which: 0 },
  ],
];

describe('a user directory with events, fetches and reconciliations in any order', function () {
  this.timeout(propertyTimeoutMs);
  let database: TestDatabase;

  before(async () => {
    database = await testDatabase([userDirectoryMigrations]);
  });
  after(async () => await database.drop());

  it("reaches Auth's state without reconciliation when every event arrives eventually", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), async (steps) => {
        const world = await createWorld();
        for (const each of steps) if (!each.do.includes('page')) await world.run(each);
        await world.deliverAll();
        await world.settle();
        await world.expectAuthsState();
      }),
      { ...propertyRuns({ test: 40, drill: 2000 }), examples: rareOrders.map((order): [Step[]] => [order]) },
    );
  });

  it("reaches Auth's state by reconciliation when events are lost, and restores a deleted user only when Auth does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), async (steps) => {
        const world = await createWorld();
        for (const each of steps) await world.run(each);
        await world.reconciliation();
        await world.settle();
        await world.expectAuthsState();
      }),
      {
        ...propertyRuns({ test: 40, drill: 2000 }),
        examples: [...rareOrders, ...rareOrdersOfPages].map((order): [Step[]] => [order]),
      },
    );
  });

  it('reaches the state of an Auth that was restored to earlier states, and never goes back within an epoch', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepOrRestore, { minLength: 1, maxLength: 60, size: 'max' }), async (steps) => {
        const world = await createWorld();
        for (const each of steps) await world.run(each);
        await world.reconciliation();
        await world.settle();
        await world.expectAuthsState();
      }),
      {
        ...propertyRuns({ test: 20, drill: 2000 }),
        examples: rareOrdersOfPages.map((order): [Step[]] => [order]),
      },
    );
  });

  async function createWorld() {
    const { db } = database;
    await query(db.pool, 'DELETE FROM directory_users');
    const auth: FakeAuth = fakeAuth();
    const ids = [randomUUID(), randomUUID(), randomUUID()];
    const undelivered: PublishedEvent[] = [];
    const delivered: PublishedEvent[] = [];
    const fetches: { claimed: Claim; answer: Answer<UserState> }[] = [];
    const pages: { states: UserState[]; askedAt: string; rebuild: boolean }[] = [];
    /** The version of each user's last deletion in Auth. */
    const deletedAt = new Map<string, number>();
    /** The users as derived only from calls of `onApplied`. */
    const heard = new Map<string, Change['after']>();
    const seen = new Map<string, { version: number; source_epoch: number; is_deleted: boolean; deletion: number }>();
    let backup: UserState[] = [];

    const onApplied = async (_tx: unknown, { before, after }: Change) => {
      // a higher version alone is not reported
      const last = heard.get(after.id);
      const expected = last && before && { ...last, version: before.version };
      expect(before, 'each change starts where the last one ended').to.deep.equal(expected);
      heard.set(after.id, after);
    };

    async function deliver(published: PublishedEvent): Promise<void> {
      const { type, event, sourceEpoch } = published;
      const { gapMs } = tuning;
      await db.transaction(async (tx) => await recordEvent(tx, type, event, { gapMs, sourceEpoch, onApplied }));
      await checkAccessEnded(published);
    }

    /**
     * Checks that a claimed deletion that is newer than the stored state ends access at once, and changes nothing else, whatever Auth returns later.
     */
    async function checkAccessEnded({ type, event, sourceEpoch }: PublishedEvent): Promise<void> {
      if (type !== 'auth.user.deleted') return;
      const [row] = await query<{ has_access: boolean; is_older: boolean }>(
        db.pool,
        `SELECT NOT is_deleted AND deletion_claimed_at IS NULL AS has_access,
           ($3::integer, $2::timestamptz) <= (source_epoch, updated_at) AS is_older
         FROM directory_users WHERE id = $1`,
        [event.user_id, event.timestamp, sourceEpoch],
      );
      expect(row?.has_access === true && !row.is_older, 'access after a deletion').to.equal(false);
      expect(seen.get(event.user_id)?.is_deleted ?? false, 'an event alone').to.equal(
        (await query(db.pool, 'SELECT FROM directory_users WHERE id = $1 AND is_deleted', [event.user_id])).length > 0,
      );
    }

    async function finish(which: number, answer?: Answer<UserState>): Promise<void> {
      const [fetched] = fetches.splice(which % Math.max(1, fetches.length), 1);
      if (fetched === undefined) return;
      await db.transaction(
        async (tx) => await finishFetch(tx, fetched.claimed, answer ?? fetched.answer, tuning, onApplied),
      );
    }

    async function claim(): Promise<void> {
      // leases expire at once, so that two processes may fetch a row concurrently
      for (const claimed of await claimStale(db.pool, 10, 0)) fetches.push({ claimed, answer: auth.read(claimed.id) });
    }

    async function applyPage(which: number): Promise<void> {
      const [page] = pages.splice(which % Math.max(1, pages.length), 1);
      if (page === undefined) return;
      await db.transaction(async (tx) => await applyStates(tx, page.states, onApplied, page));
    }

    async function readPage(kind: 'reconciliation' | 'rebuild'): Promise<void> {
      const [clock] = await query<{ now: string }>(db.pool, 'SELECT clock_timestamp()::text AS now');
      if (clock === undefined) throw new Error('the database has no time');
      pages.push({ states: auth.states(), askedAt: clock.now, rebuild: kind === 'rebuild' });
    }

    async function checkNothingWentBack(): Promise<void> {
      const rows = await query<{
        id: string;
        version: number;
        source_epoch: number;
        is_deleted: boolean;
        deletion_version: number | null;
      }>(db.pool, 'SELECT id, version, source_epoch, is_deleted, deletion_version FROM directory_users');
      for (const { id, deletion_version: ownDeletion, ...row } of rows) {
        const before = seen.get(id);
        // versions are used again in a newer epoch
        const isRestored = row.source_epoch > (before?.source_epoch ?? 1);
        expect(row.source_epoch).to.be.at.least(before?.source_epoch ?? 1);
        // a page may be applied after Auth has restored the user and deleted them again; a 410 has no version
        const deletion = before?.is_deleted === true ? before.deletion : (ownDeletion ?? deletedAt.get(id) ?? 0);
        if (before?.is_deleted === true && !row.is_deleted && !isRestored)
          expect(row.version, 'a deleted user came back').to.be.greaterThan(deletion);
        if (row.is_deleted)
          expect(deletedAt.get(id), 'a tombstone of a user who was never deleted').not.to.equal(undefined);
        if (!isRestored) expect(row.version).to.be.at.least(before?.version ?? 0);
        seen.set(id, { ...row, deletion });
      }
    }

    /** A user who is unknown to the restored Auth is left to the operator's command. */
    function restore(): void {
      if (backup.length === 0 || backup.length < auth.states().length) return;
      for (const state of backup) auth.restore(state.id, state);
      auth.raiseEpoch();
    }

    async function run({ do: what, user = 0, which = 0 }: Step): Promise<void> {
      const id = ids[user] ?? '';
      const state = auth.state(id);
      if (what === 'create' && state === undefined) undelivered.push(auth.create(id));
      if (what === 'change' && state?.is_deleted === false) undelivered.push(auth.change(id));
      if (what === 'end access' && state?.is_deleted === false) undelivered.push(...auth.endAccess(id));
      if (what === 'remove' && state?.is_deleted === false) {
        undelivered.push(auth.remove(id));
        deletedAt.set(id, state.version + 1);
      }
      if (what === 'revive' && state?.is_deleted === true) undelivered.push(auth.revive(id));
      if (what.startsWith('forge') && state !== undefined) {
        const type = what.includes('deletion') ? 'auth.user.deleted' : 'auth.account.access_ended';
        undelivered.push(auth.pretend(type, id, which === 0 ? 0 : 3_600_000));
      }
      if (what === 'deliver') {
        const [published] = undelivered.splice(which % Math.max(1, undelivered.length), 1);
        if (published !== undefined) delivered.push(published);
        if (published !== undefined) await deliver(published);
      }
      const again = delivered[which % Math.max(1, delivered.length)];
      if (what === 'deliver again' && again !== undefined) await deliver(again);
      if (what === 'back up') backup = auth.states();
      if (what === 'restore') restore();
      if (what === 'claim') await claim();
      if (what === 'finish') await finish(which);
      if (what === 'fail') await finish(which, { kind: 'unavailable', reason: 'status', detail: '500' });
      if (what.startsWith('read a page')) await readPage(what.endsWith('rebuild') ? 'rebuild' : 'reconciliation');
      if (what === 'take the page') await applyPage(which);
      await checkNothingWentBack();
    }

    return {
      run,
      async deliverAll() {
        for (const published of undelivered.splice(0)) await deliver(published);
      },
      async reconciliation() {
        await readPage('reconciliation');
        while (pages.length > 0) await applyPage(pages.length - 1);
        await checkNothingWentBack();
      },
      /** Fetches until no row is stale. Auth does not change during this, so a few rounds are enough. */
      async settle() {
        // a state that is older than its event is fetched three times before it is final
        for (let round = 0; round < 20; round++) {
          await query(
            db.pool,
            'UPDATE directory_users SET next_fetch_at = clock_timestamp() WHERE stale_since IS NOT NULL',
          );
          await claim();
          const stale = await query(db.pool, 'SELECT FROM directory_users WHERE stale_since IS NOT NULL');
          if (fetches.length === 0 && stale.length === 0) return;
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
        const claimed = await query(db.pool, 'SELECT FROM directory_users WHERE deletion_claimed_at IS NOT NULL');
        expect(claimed, 'claims that are left').to.have.length(0);
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
        expect(listener, 'the users reported to onApplied').to.have.deep.members(expected);
      },
    };
  }
});
