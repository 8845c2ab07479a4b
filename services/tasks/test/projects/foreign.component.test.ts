import { query } from '@taskwire/postgres';
import { fillTables, planSizes, recordStatements, rowsRead, type RanStatement } from '@taskwire/testing';
import { expect } from 'chai';
import { latestFirst } from '../../src/app/task-list.ts';
import { pageStatement } from '../../src/postgres/lists/page.ts';
import { startCopy } from '../support/copy.ts';
import { projectOf } from '../support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

const stored = Math.max(...planSizes);

describe('A member of few projects, where nearly all tasks are in others', () => {
  let harness: TasksHarness;
  let ann: Person;
  /** The tasks that Ann may read, the latest first. */
  let own: string[];

  before(async () => {
    let manager: Person;
    ({ harness, manager, ann } = await tasksTeam());
    const projects = [];
    for (const _ of [1, 2, 3]) projects.push((await projectOf(harness, manager, [[ann, 'viewer']])).id);
    await fillTables(harness.database, [fillTasks], [stored, manager.id, projects]);
    const rows = await query<{ id: string }>(
      harness.database.db.pool,
      'SELECT id FROM tasks WHERE project_id IS NULL OR project_id = ANY ($1) ORDER BY id DESC',
      [projects],
    );
    own = rows.map(({ id }) => id);
    expect(own).to.have.length(stored / 100);
  });
  after(async () => await harness.stop());

  const mostRead = async (ran: readonly RanStatement[]): Promise<number> => {
    const { pool } = harness.database.db;
    const read = [];
    for (const statement of ran.filter(({ name }) => /^tasks\.(list|read_changed|read_last)_/.test(name ?? '')))
      read.push(await rowsRead(pool, statement));
    return Math.max(...read);
  };

  for (const filter of [{}, { state: 'cancelled' }]) {
    it(`gets pages of ${'state' in filter ? 'tasks in a state' : 'all tasks'} for which few rows are read`, async () => {
      const log = recordStatements(harness.service.db.pool);
      const seen: string[] = [];
      for (let cursor: string | undefined; ;) {
        const given = { ...filter, limit: '40', ...(cursor === undefined ? {} : { cursor }) };
        const { body } = await harness.call('listTasks', { token: ann.token, query: given });
        const page = body as { data: { id: string }[]; next_cursor: string | null };
        seen.push(...page.data.map(({ id }) => id));
        if (page.next_cursor === null) break;
        cursor = page.next_cursor;
      }
      expect(seen).to.deep.equal(own);
      expect(await mostRead(log.statements())).to.be.below(2_500);
    });
  }

  it('gets a copy of its tasks in pages for which a limited number of rows is read', async () => {
    const log = recordStatements(harness.service.db.pool);
    const copy = startCopy(harness, 'syncTasks', ann);
    await copy.catchUp();
    expect([...copy.items.keys()]).to.have.members(own);
    expect(await mostRead(log.statements())).to.be.below(6_500);
  });

  it('would cost the rows of all tasks in the order of the list alone (canary)', async () => {
    const list = { reader: ann.id, filter: {}, order: latestFirst };
    const statement = { name: undefined, ...pageStatement(list, { limit: 40, after: undefined }) };
    expect(await rowsRead(harness.database.db.pool, statement)).to.be.above(stored * 0.9);
  });
});

/** A hundredth of the tasks, which are the oldest, are outside of projects and in these projects; the others are in a hundred projects. */
const fillTasks = `
  WITH held AS MATERIALIZED (SELECT array_agg(gen_random_uuid()) AS ids FROM generate_series(1, 100))
  INSERT INTO tasks (title, description, state, priority, labels, creator_id, project_id, created_at, updated_at, change_no)
  SELECT 'Task ' || n, '', 'cancelled', 'normal', '{}', $2::uuid,
    CASE WHEN n > $1::integer / 100 THEN held.ids[n % 100 + 1] ELSE ($3::uuid[])[n % 4] END, now(), now(), nextval('task_changes')
  FROM held, generate_series(1, $1) AS n`;
