import { expect } from 'chai';
import type { Evidence } from '../evidence.ts';
import { brokenBy, mia, task } from './small-run.ts';

const base = { at: 2_000, replays: [], outcome: 'acknowledged' as const, actorId: mia };
const attempts = (began: number) => [{ began, ended: began + 50, status: 200 }];

/** Two moves of the task, one after the other, and a bulk request of which nothing was created. */
function undone({ operations, world }: Evidence): void {
  const move = { kind: 'move_task', actor: 'mia', moved: 't1', beside: 't2', side: 'after_id' } as const;
  operations.push(
    { ...base, n: 30, subjectId: task, intent: move, attempts: attempts(2_000), answer: { position: 'a1' } },
    { ...base, n: 31, subjectId: task, intent: move, attempts: attempts(3_000), answer: { position: 'a2' } },
    {
      ...{ ...base, n: 32, subjectId: null, attempts: attempts(4_000) },
      intent: { kind: 'bulk', actor: 'mia', tasks: ['b1', 'b2'], atomic: false },
      answer: { ids: ['', ''], statuses: [429, 429] },
    },
  );
  world.positions.push({ view_id: 'view', task_id: task, key: 'a2' });
}

const brokenAfter = (change: (run: Evidence) => void) =>
  brokenBy((run) => {
    undone(run);
    change(run);
  });

/** The task of the run, as the first task of the bulk request. */
function created(run: Evidence, status: number): Evidence['operations'][number] {
  const bulk = run.operations.at(-1)!;
  bulk.intent = { kind: 'bulk', actor: 'mia', tasks: ['t1', 'b2'], atomic: false };
  bulk.answer = { ids: [task, ''], statuses: [status, 429] };
  return bulk;
}

describe('the checker, on moves and bulk requests', () => {
  it('accepts moves that are kept, and operations that may be tried again', () => {
    expect(brokenAfter(() => undefined)).to.deep.equal([]);
    expect(brokenAfter((run) => void created(run, 201))).to.deep.equal([]);
  });

  it('finds a move that was lost, unless another one overlaps it', () => {
    const rules = brokenAfter(({ world }) => void (world.positions[0]!.key = 'a1'));
    expect(rules).to.deep.equal(['acknowledged changes persist']);
    const overlapping = brokenAfter(({ world, operations }) => {
      world.positions[0]!.key = 'a1';
      operations.at(-2)!.attempts = attempts(2_020);
    });
    expect(overlapping).to.deep.equal([]);
  });

  it('finds two tasks with one position', () => {
    const rules = brokenAfter(({ world }) => void world.positions.push({ ...world.positions[0]!, task_id: 'other' }));
    expect(rules).to.deep.equal(['nothing happens twice']);
  });

  it('finds a created task that does not exist, and one that a refused operation created', () => {
    const lost = brokenAfter(({ operations }) => void (operations.at(-1)!.answer!.statuses = [201, 429]));
    expect(lost).to.deep.equal(['acknowledged changes persist']);
    expect(brokenAfter((run) => void created(run, 422))).to.deep.equal(['refused requests have no effect']);
  });

  it('finds a repeated request that created other tasks, and an atomic one that was carried out in part', () => {
    const rules = brokenAfter((run) => void created(run, 201).replays.push({ ids: ['another', ''] }));
    expect(rules).to.deep.equal(['nothing happens twice']);
    const inPart = brokenAfter((run) => {
      created(run, 201).intent = { kind: 'bulk', actor: 'mia', tasks: ['t1', 'b2'], atomic: true };
    });
    expect(inPart).to.deep.equal(['nothing happens twice']);
  });
});
