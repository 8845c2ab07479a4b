import { query, type Database } from '@taskwire/postgres';
import { propertyRuns, propertyTimeoutMs, testDatabase, type TestDatabase } from '@taskwire/testing';
import { expect } from 'chai';
import fc from 'fast-check';
import { sendReminders } from '../src/app/send-reminders.ts';
import { migrations } from '../src/migrations.ts';
import { createReminders } from '../src/postgres/reminders.ts';

/** Edits of one task in SQL, as any release could make them; hours pass between them. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('due' as const), inHours: fc.option(fc.integer({ min: -5, max: 30 })) }),
  fc.record({ kind: fc.constant('remind' as const), hours: fc.integer({ min: 1, max: 48 }) }),
  fc.record({ kind: fc.constant('pass' as const), hours: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ kind: fc.constant('tick' as const), replicas: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('touch' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
const ending = fc.constantFrom('completed', 'cancelled', 'deleted', 'open');

/** A model of the rules without a database, in hours. */
type Model = { now: number; due: number | null; before: number; sent: Set<string>; skipped: Set<string> };

describe('the reminders of a task with random edits', function () {
  this.timeout(propertyTimeoutMs);
  let database: TestDatabase;
  before(async () => (database = await testDatabase(migrations)));
  after(async () => await database.drop());

  it('follow the rules, with at most one for each kind and due date', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), ending, async (steps, end) => await follow(steps, end)),
      propertyRuns({ test: 15, drill: 300 }),
    );
  });

  async function follow(steps: readonly Step[], end: string): Promise<void> {
    const { db } = database;
    const [made] = await query<{ id: string }>(
      db.pool,
      `INSERT INTO tasks (title, description, state, priority, labels, creator_id, created_at, updated_at, assignee_id)
       VALUES ('t', '', 'in_progress', 'normal', '{}', uuidv7(), now(), now(), uuidv7()) RETURNING id`,
    );
    const id = made!.id;
    const set = async (change: string) => await query(db.pool, `UPDATE tasks SET ${change} WHERE id = $1`, [id]);
    const model: Model = { now: 0, due: null, before: 24, sent: new Set(), skipped: new Set() };
    // a fixed instant, so that a due date that is set again has the same value
    const [start] = await query<{ at: string }>(db.pool, 'SELECT now()::text AS at');
    let passed = 0;
    const at = (hours: number) => `timestamptz '${start!.at}' + interval '${hours} hours' - interval '30 minutes'`;

    for (const one of steps) {
      switch (one.kind) {
        case 'due':
          model.due = one.inHours === null ? null : model.now + one.inHours;
          await set(`due_at = ${model.due === null ? 'NULL' : at(model.due - passed)}`);
          break;
        case 'remind':
          model.before = one.hours;
          await set(`remind_before = 'PT${one.hours}H'`);
          break;
        case 'touch':
          await set(`version = version + 1, title = 'u'`);
          break;
        case 'pass':
          // the clock can't be moved forward, so the task's times are moved back
          passed += one.hours;
          model.now += one.hours;
          await shift(db, id, one.hours);
          break;
        case 'tick':
          await tick(db, one.replicas);
          expectTick(model);
      }
    }
    if (end === 'deleted') await set('deleted_at = now()');
    else if (end !== 'open') await set(`state = '${end}'`);
    await shift(db, id, 1_000);
    model.now += 1_000;
    await tick(db, 2);
    if (end === 'open') expectTick(model);

    const settled = await query<{ kind: string; state: string; count: number }>(
      db.pool,
      `SELECT kind, state, count(*)::integer AS count FROM task_reminders WHERE task_id = $1 GROUP BY 1, 2 ORDER BY 1, 2`,
      [id],
    );
    const count = (keys: Set<string>, kind: string) => [...keys].filter((key) => key.startsWith(kind)).length;
    const expected = [
      { kind: 'due_soon', state: 'sent', count: count(model.sent, 'due_soon') },
      { kind: 'due_soon', state: 'skipped', count: count(model.skipped, 'due_soon') },
      { kind: 'overdue', state: 'sent', count: count(model.sent, 'overdue') },
    ].toSorted((a, b) => (`${a.kind} ${a.state}` < `${b.kind} ${b.state}` ? -1 : 1));
    expect(settled).to.deep.equal(expected.filter((one) => one.count > 0));
    const [published] = await query<{ events: number; entries: number }>(
      db.pool,
      `SELECT (SELECT count(*)::integer FROM outbox WHERE aggregate_id = $1) AS events,
         (SELECT count(*)::integer FROM task_activity WHERE task_id::text = $1) AS entries`,
      [id],
    );
    expect(published).to.deep.equal({ events: model.sent.size, entries: model.sent.size + model.skipped.size });
  }
});

/** Every due date is half an hour before a full hour, so no due date ever equals the current time. */
function expectTick({ now, due, before, sent, skipped }: Model): void {
  if (due === null) return;
  const soon = `due_soon ${due}`;
  if (!sent.has(soon) && !skipped.has(soon) && due - before <= now) (due <= now ? skipped : sent).add(soon);
  if (due <= now) sent.add(`overdue ${due}`);
}

/** Moves a task and its reminders into the past. */
async function shift(db: Database, id: string, hours: number): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query('ALTER TABLE tasks DISABLE TRIGGER arm_changed_reminders');
    const by = `interval '${hours} hours'`;
    await tx.query(`UPDATE tasks SET due_at = due_at - ${by} WHERE id = $1`, [id]);
    // larger than any distance between two due dates, so that the intermediate keys are all free
    for (const far of [`interval '400000 days' + ${by}`, `- interval '400000 days'`])
      await tx.query(
        `UPDATE task_reminders SET due_at = due_at - (${far}), remind_at = remind_at - (${far}) WHERE task_id = $1`,
        [id],
      );
    await tx.query('ALTER TABLE tasks ENABLE TRIGGER arm_changed_reminders');
  });
}

async function tick(db: Database, replicas: number): Promise<void> {
  const ports = { reminders: createReminders(db), wakeIn: () => undefined, observe: () => undefined };
  let progress: string[];
  do progress = await Promise.all(Array.from({ length: replicas }, async () => await sendReminders(ports)));
  while (progress.includes('more'));
}
