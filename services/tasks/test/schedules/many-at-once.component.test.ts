import { expect } from 'chai';
import { jobsHarness, type JobsHarness } from '../support/jobs-harness.ts';
import { scheduleTools, type Schedule } from '../support/schedules.ts';
import type { Person } from '../support/tasks-harness.ts';

describe('Schedules that are due at once', () => {
  let harness: JobsHarness;
  let tools: ReturnType<typeof scheduleTools>;
  let manager: Person;
  let ann: Person;

  before(async () => {
    harness = await jobsHarness();
    tools = scheduleTools(harness);
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
  });
  after(async () => await harness.stop());

  const every = async (target: object, body: Record<string, unknown> = {}, next = 0): Promise<Schedule> =>
    await tools.everyMinute(manager, next, {
      target: { kind: 'task', title: 'Sweep', ...target },
      overlap: 'allow',
      ...body,
    });

  it('are decided together, each as if it were alone', async () => {
    const ben = await harness.join('Ben', 'member');
    const olga = await harness.join('Olga', 'manager');
    const { queue } = await harness.client();
    const draft = await every({ description: 'With the broom', labels: ['garden'], due_in: 'P1D' });
    const toAnn = await every({ assignee_id: ann.id });
    const toBen = await every({ assignee_id: ben.id });
    const random = await every({ assign: 'random' });
    const cancelling = await every({ assignee_id: ann.id }, { catch_up: 'all', overlap: 'cancel_running' }, -2);
    const skipping = await every({}, { catch_up: 'all', overlap: 'skip' }, -2);
    const enqueuing = await tools.everyMinute(manager, 0, {
      target: { kind: 'job', job: { queue, kind: 'clean' } },
      overlap: 'allow',
    });
    const refused = await tools.everyMinute(olga, 0, { target: { kind: 'task', title: 'Sweep', assign: 'random' } });
    await harness.become(ben, 'manager');
    await harness.become(olga, 'member');
    await tools.run();
    const first = async (schedule: Schedule) => (await tools.tasks(schedule))[0];
    expect(await first(draft)).to.include({ state: 'draft', assignee_id: null });
    const details = await harness.read(ann, { id: (await first(draft))?.id ?? '' });
    expect(details).to.deep.include({ description: 'With the broom', labels: ['garden'], due_time_zone: 'UTC' });
    expect(await first(toAnn)).to.include({ state: 'assigned', assignee_id: ann.id });
    expect(await first(toBen)).to.include({ state: 'draft', assignee_id: null });
    expect(await first(random)).to.include({ state: 'assigned' });
    expect((await tools.tasks(cancelling)).map(({ state }) => state)).to.deep.equal([
      'cancelled',
      'cancelled',
      'assigned',
    ]);
    expect(await tools.states(skipping)).to.deep.equal(['ran', 'overlap', 'overlap']);
    expect(await tools.states(enqueuing)).to.deep.equal(['ran']);
    expect(await tools.states(refused)).to.deep.equal(['not_permitted']);
  });

  it('are stored by as many statements as a single one, in at most two transactions', async () => {
    const schedules: Schedule[] = [];
    for (let count = 0; count < 25; count++)
      schedules.push(await every(count % 2 === 0 ? {} : { assignee_id: ann.id }));
    await harness.sql('CREATE TABLE statements (of text)');
    await harness.sql(`CREATE FUNCTION count_statement() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO statements VALUES (TG_TABLE_NAME); RETURN NULL; END $$`);
    for (const table of ['tasks', 'schedule_occurrences'])
      await harness.sql(
        `CREATE TRIGGER counted AFTER INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION count_statement()`,
      );
    await tools.run();
    await harness.sql('DROP FUNCTION count_statement CASCADE');
    for (const schedule of schedules) expect(await tools.states(schedule)).to.deep.equal(['ran']);
    const counts = await harness.sql<{ of: string; count: number }>(
      'SELECT "of", count(*)::integer AS count FROM statements GROUP BY "of" ORDER BY "of"',
    );
    const of = (table: string) => counts.find((one) => one.of === table)?.count;
    // drafts and assigned tasks are stored by a statement each
    expect(of('tasks'), JSON.stringify(counts)).to.be.at.most(4);
    expect(of('schedule_occurrences'), JSON.stringify(counts)).to.be.at.most(2);
  });
});
