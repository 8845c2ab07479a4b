import { schemas, tasksRoutes, authRoutes } from '@taskwire/contracts';
import { Problem } from '@taskwire/errors';
import { expect } from 'chai';
import { z } from 'zod';
import { parseInput } from '../src/input.ts';

function refusal(schema: z.ZodType, input: unknown, fieldHints?: Readonly<Record<string, string>>): Problem {
  try {
    parseInput(schema, input, fieldHints);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('the input was accepted');
}

describe('A validation error', () => {
  const id = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';
  const body = z.strictObject({
    name: z.string().min(1).max(3).optional(),
    size: z.enum(['small', 'large']).optional(),
    count: z.int().min(2).max(5).optional(),
    tags: z.array(z.string()).min(2).max(3).optional(),
    owner: z.guid().optional(),
    performer: z.union([z.guid(), z.literal('me')]).optional(),
    sure: z.literal(true).optional(),
    ends: z
      .array(
        z.union(
          [
            z.strictObject({ id: z.string(), done: z.strictObject({}) }),
            z.strictObject({ id: z.string(), failed: z.strictObject({ why: z.string() }) }),
          ],
          'must have done or failed',
        ),
      )
      .optional(),
    shape: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('circle'), radius: z.number() }),
        z.strictObject({ kind: z.literal('square'), side: z.number() }),
      ])
      .optional(),
  });
  const cases: [unknown, string][] = [
    [{ name: '' }, 'name must not be empty'],
    [{ name: 'four' }, 'name must have at most 3 characters'],
    [{ name: 5 }, 'name must be a string'],
    [{ name: ['a', 'b'] }, 'name must be one string, given once'],
    [{ size: 'Small' }, 'size must be one of "small", "large"'],
    [{ size: ['small', 'large'] }, 'size must be one of "small", "large", given once'],
    [{ performer: [id, 'me'] }, 'performer must be one value, given once'],
    [{ count: 1 }, 'count must be at least 2'],
    [{ count: 6 }, 'count must be at most 5'],
    [{ count: 'two' }, 'count must be a number'],
    [{ count: 2.5 }, 'count must be a whole number'],
    [{ tags: ['a'] }, 'tags must have at least 2 entries'],
    [{ tags: 'a' }, 'tags must be a list, for example ["first", "second"]'],
    [{ owner: 'Ann' }, `owner must be a UUID, for example ${id}`],
    [{ sure: false }, 'sure must be true'],
    [{ ends: [{ id: '1', failed: {} }] }, 'ends.0.failed.why is required: a string'],
    [{ ends: [{ id: '1', failed: null }] }, 'ends.0.failed must be a JSON object'],
    [{ ends: [{ id: '1' }] }, 'ends.0 must have done or failed'],
    [{ ends: [{ id: '1', done: {}, failed: { why: 'x' } }] }, 'ends.0 must have done or failed'],
    [{ ends: [5] }, 'ends.0 must have done or failed'],
    [{ shape: { kind: 'star' } }, 'shape.kind must be one of "circle", "square"'],
    [{ shape: { radius: 1 } }, 'shape.kind is required: one of "circle", "square"'],
    [{ shape: null }, 'shape must be a JSON object'],
    [[], 'the body must be a JSON object'],
    ['text', 'the body must be a JSON object'],
    [null, 'the body must be a JSON object'],
  ];
  for (const [input, sentence] of cases) {
    it(`states the requirement: ${sentence}`, () => {
      const { detail, errors = [] } = refusal(body, input);
      const [{ field, message } = { field: '', message: '' }, ...more] = errors;
      expect(`${field || 'the body'} ${message}`).to.equal(sentence);
      expect(more).to.deep.equal([]);
      expect(detail).to.equal(`Invalid fields: ${field || 'the body'}. ${sentence}.`);
    });
  }

  it('names missing fields and their types', () => {
    const { detail } = refusal(z.strictObject({ title: schemas.title, state: schemas.taskState }), {});
    expect(detail).to.equal(
      'Invalid fields: title, state. title is required: a string. state is required: one of "draft", "assigned", "in_progress", "completed", "cancelled".',
    );
  });

  it('is short, however many faults there are', () => {
    const input = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`field${n}`.padEnd(500, 'x'), n]));
    const { detail, errors } = refusal(body, input);
    expect(errors).to.have.length(50);
    expect(detail).to.have.length.below(700);
  });

  it('names unknown fields, and states the requirements of the others', () => {
    const { detail, errors } = refusal(body, { name: 5, count: 1, owner: 'x', size: 'x', colour: 'red' });
    expect(detail).to.match(
      /^Invalid fields: name, size, count, owner, colour\. name must be a string\. size must be /,
    );
    expect(detail).to.match(/Unknown fields are not accepted\. `errors` lists all faults\.$/);
    expect(errors).to.deep.include({
      field: 'colour',
      code: 'unknown_field',
      message: 'is not a field of this request',
    });
  });

  it('has a code for programs: that of the rule if it has one', () => {
    const schema = z.strictObject({
      even: z.int().refine((value) => value % 2 === 0, 'must be even'),
      size: z.int().refine((value) => value < 5, { message: 'must be small', params: { code: 'too_big' } }),
    });
    const { errors = [] } = refusal(schema, { even: 1, size: 5 });
    expect(errors.map(({ field, code }) => `${field} ${code}`)).to.deep.equal(['even invalid_value', 'size too_big']);
  });

  it('does not repeat the values sent', () => {
    const secret = 'do-not-repeat';
    for (const input of [{ name: secret }, { size: secret }, { count: secret }, { owner: secret }, secret]) {
      expect(JSON.stringify(refusal(body, input).errors) + refusal(body, input).detail).not.to.include(secret);
    }
  });

  it('takes no field hint from the object prototype', () => {
    expect(refusal(body, { constructor: 1 }, {}).detail).to.equal(
      'Invalid fields: constructor. Unknown fields are not accepted.',
    );
  });

  const { changeTask, createTask, assignTask, transitionTask, listTasks } = tasksRoutes;
  const { changeUser } = authRoutes;
  const misplaced: [
    string,
    { body?: z.ZodType; query?: z.ZodType; fieldHints?: Readonly<Record<string, string>> },
    object,
    string,
  ][] = [
    [
      'state in a change of a task',
      changeTask,
      { state: 'completed' },
      'POST /api/v1/tasks/{id}/transition, for example {"state":',
    ],
    [
      'assignee_id in a change of a task',
      changeTask,
      { assignee_id: id },
      'POST /api/v1/tasks/{id}/assign, for example {"assignee_id":',
    ],
    [
      'assign in a change of a task',
      changeTask,
      { assign: 'random' },
      'POST /api/v1/tasks/{id}/assign, for example {"assignee_id":',
    ],
    ['version in a change of a task', changeTask, { version: 3, title: 'x' }, 'in the header If-Match'],
    ['creator_id in a change of a task', changeTask, { creator_id: id }, 'is set by the server; leave it out'],
    [
      'state in a new task',
      createTask,
      { title: 'x', state: 'completed' },
      'POST /api/v1/tasks/{id}/transition, for example {"state":',
    ],
    [
      'state in an assignment',
      assignTask,
      { state: 'completed' },
      'POST /api/v1/tasks/{id}/transition, for example {"state":',
    ],
    [
      'nothing in an assignment',
      assignTask,
      {},
      'the body must be {"assign": "random"}, or have the id of a user, for example {"assignee_id":',
    ],
    ['both in an assignment', assignTask, { assign: 'random', assignee_id: id }, 'is sent without assignee_id'],
    [
      'assignee_id in a transition',
      transitionTask,
      { state: 'cancelled', assignee_id: id },
      'POST /api/v1/tasks/{id}/assign, for example {"assignee_id":',
    ],
    [
      'status in a transition',
      transitionTask,
      { status: 'completed' },
      'status is called state, for example {"state": "in_progress"}',
    ],
    [
      'assignee_id in a filter',
      { query: listTasks.query, fieldHints: listTasks.fieldHints },
      { assignee_id: 'me' },
      'is called assignee in a list, for example ?assignee=me',
    ],
    [
      'a name in a filter by assignee',
      { query: listTasks.query, fieldHints: listTasks.fieldHints },
      { assignee: 'Ann' },
      'must be the id of a user, me for the caller, or none',
    ],
    [
      'password in a change of a user',
      changeUser,
      { password: 'x' },
      'POST /api/v1/auth/change_password, for example {"current_password":',
    ],
  ];
  for (const [what, { body: schema, query, fieldHints }, input, hint] of misplaced) {
    it(`says what to do instead of ${what}`, () => {
      const { detail, errors = [] } = refusal(schema ?? query ?? z.never(), input, fieldHints);
      expect(detail).to.include(hint);
      for (const { message } of errors) expect(detail).to.include(message);
    });
  }

  it('names only existing operations', () => {
    const routes = [...Object.values(tasksRoutes), ...Object.values(authRoutes)] as {
      method: string;
      path: string;
      fieldHints?: object;
    }[];
    const known = new Set(routes.map(({ method, path }) => `${method.toUpperCase()} ${path}`));
    const named = routes.flatMap(({ fieldHints = {} }) =>
      Object.values(fieldHints).flatMap((hint) => String(hint).match(/\b(?:GET|POST|PATCH|DELETE) [\w/{}]+/g) ?? []),
    );
    expect(named.length).to.be.greaterThan(5);
    for (const one of named) expect(known, one).to.include(one);
  });
});
