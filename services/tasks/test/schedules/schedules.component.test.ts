import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { codeOf } from '../support/api.ts';
import type { ProblemBody } from '../support/jobs-harness.ts';
import { scheduleTools, type Occurrence, type Schedule } from '../support/schedules.ts';
import { tasksHarness, type Person, type TasksHarness } from '../support/tasks-harness.ts';

const daily = {
  kind: 'cron',
  expression: '0 9 * * *',
  time_zone: 'Europe/Berlin',
  target: { kind: 'task', title: 'Stand-up' },
};

describe('A schedule', () => {
  let harness: TasksHarness;
  let tools: ReturnType<typeof scheduleTools>;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  before(async () => {
    harness = await tasksHarness({ PROCESS_ROLE: 'api' });
    tools = scheduleTools(harness);
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
    ben = await harness.join('Ben', 'member');
  });
  after(async () => await harness.stop());

  it('is created, listed, changed under If-Match and deleted; its tasks stay', async () => {
    const created = await harness.call('createSchedule', { token: ann.token, body: daily });
    expect(created.status).to.equal(201);
    const schedule = created.body as Schedule;
    expect(schedule).to.include({
      catch_up: 'latest',
      overlap: 'skip',
      jitter: 'PT0S',
      paused: false,
      revision: 1,
      version: 1,
      creator_id: ann.id,
    });
    expect(schedule.next_at).to.match(/T0[78]:00:00\.000000Z$/);
    const at = { token: ann.token, params: { id: schedule.id } };
    const lists = [ann, ben, manager].map(async ({ token }) => {
      const { data } = (await tools.ask('listSchedules', { token })) as { data: Schedule[] };
      return data.some(({ id }) => id === schedule.id);
    });
    expect(await Promise.all(lists)).to.deep.equal([true, false, true]);
    const change = { ...at, body: { expression: '0 10 * * *' } };
    expect(codeOf(await harness.call('changeSchedule', change))).to.equal('precondition_required');
    expect(codeOf(await harness.call('changeSchedule', { ...change, headers: { 'if-match': '"7"' } }))).to.equal(
      'precondition_failed',
    );
    const changed = (await tools.ask('changeSchedule', {
      ...change,
      headers: { 'if-match': created.headers.get('etag') ?? '' },
    })) as Schedule;
    expect(changed).to.include({ version: 2, revision: 2 });
    const same = (await tools.ask('changeSchedule', {
      ...at,
      headers: { 'if-match': '*' },
      body: { target: daily.target, overlap: 'skip' },
    })) as Schedule;
    expect(same.version).to.equal(2);
    const triggered = (await tools.ask('triggerSchedule', at)) as Occurrence;
    await tools.ask('deleteSchedule', { ...at, headers: { 'if-match': '*' } });
    expect(codeOf(await harness.call('getSchedule', at))).to.equal('not_found');
    expect(await harness.read(ann, { id: triggered.task_id ?? '' })).to.include({
      title: 'Stand-up',
      state: 'draft',
      creator_id: ann.id,
    });
  });

  it('is refused with the name of the field at fault, and to members if it assigns its tasks', async () => {
    const target = (more: object) => ({ ...daily, target: { ...daily.target, ...more } });
    const faults: [Person, Record<string, unknown>, number, string][] = [
      [ann, target({ assign: 'random' }), 403, 'forbidden'],
      [ann, target({ assignee_id: ann.id }), 403, 'forbidden'],
      [manager, target({ assignee_id: manager.id }), 422, 'ineligible_assignee'],
      [manager, target({ assignee_id: ann.id, assign: 'random' }), 422, 'invalid_input'],
      [ann, target({ kind: 'job' }), 422, 'invalid_input'],
      [ann, target({ due_in: 'P1Y' }), 422, 'invalid_input'],
      [ann, { ...daily, jitter: 'PT2H' }, 422, 'invalid_input'],
      [ann, { ...daily, expression: '0 0 31 2 *' }, 422, 'schedule_never_runs'],
    ];
    for (const [{ token }, body, status, code] of faults) {
      const answer = await harness.call('createSchedule', { token, body });
      expect([answer.status, codeOf(answer)], JSON.stringify(body)).to.deep.equal([status, code]);
    }
    for (const assignee_id of [manager.id, '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e']) {
      const { body } = await harness.call('createSchedule', { token: manager.token, body: target({ assignee_id }) });
      expect((body as ProblemBody).errors?.map(({ field }) => field)).to.deep.equal(['target.assignee_id']);
    }
  });

  it('is created once under one key, although its only instant has passed when the request is repeated', async () => {
    const { token } = ann;
    /** Leaves more time on a machine that is too slow to create the schedule before its instant. */
    async function createSoon(seconds = 2) {
      const expression = new Date(Date.now() + seconds * 1_000).toISOString().replace(/\.\d+/, '');
      const headers = { 'idempotency-key': crypto.randomUUID() };
      const call = { token, headers, body: { ...daily, kind: 'at', expression } };
      const first = await harness.call('createSchedule', call);
      if (first.status === 201) return { call, first };
      expect(codeOf(first)).to.equal('schedule_never_runs');
      return await createSoon(seconds * 2);
    }
    const { call, first } = await createSoon();
    const { kind, expression, time_zone } = call.body;
    const preview = { token, body: { kind, expression, time_zone } };
    await waitFor(async () => codeOf(await harness.call('previewSchedule', preview)) === 'schedule_never_runs');
    const replay = await harness.call('createSchedule', call);
    expect([replay.status, replay.body]).to.deep.equal([201, first.body]);
  });

  it('has a jitter shorter than each of its next intervals, after an edit too', async () => {
    const rules = [
      { kind: 'every', expression: 'PT10M' },
      { kind: 'cron', expression: '0,10 9 * * *' },
      { kind: 'rrule', expression: 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0,10' },
    ];
    for (const rule of rules) {
      const fieldOf = async (jitter: string) => {
        const answer = await harness.call('createSchedule', { token: ann.token, body: { ...daily, ...rule, jitter } });
        return [answer.status, (answer.body as ProblemBody).errors?.[0]?.field];
      };
      expect(await fieldOf('PT10M')).to.deep.equal([422, 'jitter']);
      expect(await fieldOf('PT9M59S')).to.deep.equal([201, undefined]);
    }
    const schedule = (await tools.ask('createSchedule', { token: ann.token, body: daily })) as Schedule;
    const at = { token: ann.token, params: { id: schedule.id }, headers: { 'if-match': '*' } };
    await tools.ask('changeSchedule', { ...at, body: { jitter: 'PT1H' } });
    const hourly = await harness.call('changeSchedule', { ...at, body: { expression: '0 * * * *' } });
    expect([hourly.status, (hourly.body as ProblemBody).errors?.[0]?.field]).to.deep.equal([422, 'jitter']);
    await tools.ask('changeSchedule', { ...at, body: { expression: '0 * * * *', jitter: 'PT59M' } });
  });

  it('creates one task for each occurrence, with an id that the occurrence determines', async () => {
    const target = { kind: 'task', title: 'Water', labels: ['home'], assign: 'random', due_in: 'PT8H' };
    const schedule = await tools.everyMinute(manager, 0, { target, overlap: 'allow' });
    await tools.run();
    await tools.run();
    const [row, ...others] = await tools.rows(schedule);
    expect(others).to.deep.equal([]);
    const task = await harness.read(manager, { id: row?.task_id ?? '' });
    expect(task).to.include({ title: 'Water', state: 'assigned', creator_id: manager.id });
    const [occurrence] = (
      (await tools.ask('listOccurrences', { token: manager.token, params: { id: schedule.id } })) as {
        data: Occurrence[];
      }
    ).data;
    const nominal = Date.parse(occurrence?.nominal_at ?? '');
    expect(Date.parse(task.due_at ?? '') - nominal).to.equal(8 * 3_600_000);
    expect(Number.parseInt(task.id.replaceAll('-', '').slice(0, 12), 16)).to.equal(nominal);
    const [entry] = await harness.activity(manager, task);
    expect(entry).to.include({ action: 'created', actor: null });
    expect(Date.parse((await tools.read(manager, schedule)).next_at ?? '') - nominal).to.equal(60_000);
  });

  it('shows past and future occurrences in one list, page by page', async () => {
    const schedule = await tools.everyMinute(ann, -2, { overlap: 'skip', catch_up: 'all' });
    await tools.run();
    const at = { token: ann.token, params: { id: schedule.id } };
    const seen: Occurrence[] = [];
    let query_: Record<string, string> = { limit: '2' };
    for (let page = 0; page < 3; page++) {
      const { data, next_cursor } = (await tools.ask('listOccurrences', { ...at, query: query_ })) as {
        data: Occurrence[];
        next_cursor: string;
      };
      seen.push(...data);
      query_ = { limit: '2', cursor: next_cursor };
    }
    expect(seen.map(({ state, reason }) => reason ?? state)).to.deep.equal([
      'ran',
      'overlap',
      'overlap',
      'planned',
      'planned',
      'planned',
    ]);
    const times = seen.map(({ nominal_at: nominal }) => Date.parse(nominal));
    expect(times.slice(1).map((time, index) => time - (times[index] ?? 0))).to.deep.equal([
      60_000, 60_000, 60_000, 60_000, 60_000,
    ]);
  });

  it('is paused and resumed: occurrences due before the pause run, those in the pause do not, whatever catch_up says', async () => {
    const schedule = await tools.everyMinute(ann, 0, { catch_up: 'all', overlap: 'allow' });
    const at = { token: ann.token, params: { id: schedule.id } };
    expect(await tools.ask('pauseSchedule', at)).to.include({ paused: true, pause_reason: 'requested' });
    await tools.dueFrom(schedule, -3);
    await query(harness.database.db.pool, 'DELETE FROM schedule_occurrences WHERE schedule_id = $1 AND state = $2', [
      schedule.id,
      'ran',
    ]);
    expect(await tools.ask('resumeSchedule', at)).to.include({ paused: false, pause_reason: null });
    expect(await tools.states(schedule)).to.deep.equal(['paused', 'paused', 'paused', 'paused']);
    const skipped = await query(
      harness.database.db.pool,
      "SELECT payload FROM outbox WHERE type = 'tasks.schedule.skipped' AND aggregate_id = $1",
      [schedule.id],
    );
    expect(skipped).to.have.length(4);
  });

  it('announces the queued occurrence of a deleted schedule as skipped', async () => {
    const schedule = await tools.everyMinute(ann, -1, { catch_up: 'all', overlap: 'queue_one' });
    await tools.run();
    expect((await tools.states(schedule)).slice(0, 2)).to.deep.equal(['ran', 'queued']);
    await tools.ask('deleteSchedule', {
      ...{ token: ann.token, params: { id: schedule.id }, headers: { 'if-match': '*' } },
    });
    const [, second] = await tools.rows(schedule);
    expect(second).to.include({ state: 'skipped', reason: 'overlap' });
    const events = await query(
      harness.database.db.pool,
      `SELECT FROM outbox JOIN schedule_occurrences ON schedule_id::text = aggregate_id AND reason = payload ->> 'reason'
       WHERE type = 'tasks.schedule.skipped' AND aggregate_id = $1 AND (payload ->> 'nominal_at')::timestamptz = nominal_at`,
      [schedule.id],
    );
    const { length } = (await tools.rows(schedule)).filter(({ state }) => state === 'skipped');
    expect(events).to.have.length(length);
  });

  it('decides the occurrences due before an edit by the old rule, and starts the new rule after both now and the last occurrence', async () => {
    const schedule = await tools.everyMinute(ann, -1, { catch_up: 'all', overlap: 'allow' });
    const at = { token: ann.token, params: { id: schedule.id }, headers: { 'if-match': '*' } };
    const edited = (await tools.ask('changeSchedule', { ...at, body: { expression: '*/2 * * * *' } })) as Schedule;
    const rows = await tools.rows(schedule);
    expect(rows.map(({ state, revision }) => [state, revision])).to.deep.equal([
      ['ran', 1],
      ['ran', 1],
    ]);
    expect(Date.parse(edited.next_at ?? '')).to.be.greaterThan(Date.now() - 1_000);
    const kept = (await tools.ask('changeSchedule', {
      ...at,
      body: { catch_up: 'skip', dst_gap: 'skip' },
    })) as Schedule;
    expect(kept).to.include({ next_at: edited.next_at, revision: 2, version: 3 });
  });

  for (const [change, what] of [
    ['changeSchedule', 'an edit'],
    ['pauseSchedule', 'a pause'],
  ] as const) {
    it(`decides an instant that came before ${what} although its run was delayed`, async () => {
      const schedule = await tools.everyMinute(ann, 0, { overlap: 'allow' });
      const delayed = "UPDATE schedules SET due_at = clock_timestamp() + interval '1 minute' WHERE id = $1";
      await query(harness.database.db.pool, delayed, [schedule.id]);
      const body = change === 'changeSchedule' ? { body: { expression: '0 0 1 1 *' } } : {};
      await tools.ask(change, { token: ann.token, params: { id: schedule.id }, headers: { 'if-match': '*' }, ...body });
      expect((await tools.states(schedule)).at(-1)).to.equal('ran');
    });
  }

  it('can be triggered independently of its rule, and backfilled where it has not run', async () => {
    const schedule = await tools.everyMinute(ann, -3, { catch_up: 'skip', overlap: 'allow' });
    const at = { token: ann.token, params: { id: schedule.id } };
    await tools.run();
    const before = await tools.states(schedule);
    expect(before.slice(0, 2)).to.deep.equal(['missed', 'missed']);
    expect(await tools.ask('triggerSchedule', at)).to.include({ state: 'ran', cause: 'trigger' });
    const body = { from: new Date(Date.now() - 240_000).toISOString(), to: new Date(Date.now() - 1_000).toISOString() };
    const filled = (await tools.ask('backfillSchedule', { ...at, body })) as { ran: number; had_run: number };
    expect(filled.ran).to.be.within(2, 5);
    expect(new Set(await tools.states(schedule))).to.deep.equal(new Set(['ran']));
    expect(await tools.ask('backfillSchedule', { ...at, body })).to.include({ ran: 0 });
    for (const wrong of [
      { ...body, from: '2020-01-01T00:00:00Z' },
      { ...body, to: '2040-01-01T00:00:00Z' },
    ]) {
      expect(codeOf(await harness.call('backfillSchedule', { ...at, body: wrong }))).to.equal('invalid_input');
    }
  });
});
