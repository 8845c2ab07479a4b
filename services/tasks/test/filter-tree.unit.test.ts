import { Problem } from '@taskwire/errors';
import { expect } from 'chai';
import { readFilterTree } from '../src/domain/search/filter-tree.ts';

const me = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';
const now = Date.parse('2026-03-01T12:00:00Z');
const read = (given: unknown) => readFilterTree(given, { callerId: me, now });

/** The field that a filter is refused for. */
function fieldOf(given: unknown): string | undefined {
  try {
    read(given);
    return undefined;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    expect(error.code).to.equal('invalid_input');
    return error.errors?.[0]?.field;
  }
}
const condition = (field: string, op: string, value: unknown) => ({ field, op, value });

describe('A filter tree', () => {
  it('has conditions on values, with the caller and missing values', () => {
    expect(read(condition('state', 'in', ['draft', 'assigned']))).to.deep.equal({
      ...{ kind: 'is', field: 'state', values: ['draft', 'assigned'] },
    });
    expect(read(condition('assignee', 'in', ['me', 'none']))).to.deep.equal({
      ...{ kind: 'is', field: 'assignee', values: [me, null] },
    });
    expect(read(condition('label', 'ne', 'cafe\u0301'))).to.deep.equal({
      ...{ kind: 'not', node: { kind: 'is', field: 'label', values: ['caf\u00e9'] } },
    });
    expect(read(condition('parent', 'eq', 'none'))).to.deep.equal({ kind: 'is', field: 'parent', values: [null] });
    expect(read(condition('blocked', 'eq', false))).to.deep.equal({ kind: 'blocked', is: false });
    expect(read(condition('blocked', 'ne', false))).to.deep.equal({ kind: 'blocked', is: true });
    expect(read(condition('due_at', 'eq', null))).to.deep.equal({ kind: 'is', field: 'due_at', values: [null] });
  });

  it('has conditions on times, as instants or as durations from now', () => {
    const at = (value: string) => (read(condition('due_at', 'lt', value)) as { at: string }).at;
    expect(at('2026-01-01T00:00:00+01:00')).to.equal('2025-12-31T23:00:00.000000Z');
    expect(at('P7D')).to.equal('2026-03-08T12:00:00.000000Z');
    expect(at('-P1DT1H')).to.equal('2026-02-28T11:00:00.000000Z');
    expect(at('PT0S')).to.equal('2026-03-01T12:00:00.000000Z');
    expect(read(condition('updated_at', 'gte', 'PT0S'))).to.include({ field: 'updated_at', compare: '>=' });
  });

  it('combines them', () => {
    const high = condition('priority', 'eq', 'high');
    expect(read({ and: [high, { or: [{ not: high }] }] })).to.deep.equal({
      kind: 'and',
      nodes: [
        { kind: 'is', field: 'priority', values: ['high'] },
        { kind: 'or', nodes: [{ kind: 'not', node: { kind: 'is', field: 'priority', values: ['high'] } }] },
      ],
    });
  });

  it('is refused with the path of the node at fault', () => {
    const good = condition('kind', 'eq', 'task');
    const deep = (levels: number): unknown => (levels === 1 ? good : { not: deep(levels - 1) });
    const faults: [unknown, string][] = [
      [{}, 'filter'],
      [[], 'filter'],
      [{ and: [good], or: [good] }, 'filter'],
      [{ field: 'state', op: 'eq' }, 'filter'],
      [{ ...good, extra: 1 }, 'filter'],
      [{ and: [] }, 'filter.and'],
      [{ and: [good, { or: ['x'] }] }, 'filter.and.1.or.0'],
      [{ not: condition('title', 'eq', 'x') }, 'filter.not.field'],
      [condition('__proto__', 'eq', 'x'), 'filter.field'],
      [condition('state', 'lt', 'draft'), 'filter.op'],
      [condition('state', 'eq', 'done'), 'filter.value'],
      [condition('state', 'in', 'draft'), 'filter.value'],
      [condition('state', 'in', []), 'filter.value'],
      [condition('label', 'eq', 7), 'filter.value'],
      [condition('label', 'eq', '\0'), 'filter.value'],
      [condition('creator', 'eq', 'none'), 'filter.value'],
      [condition('assignee', 'eq', 'ann'), 'filter.value'],
      [condition('project', 'eq', 'me'), 'filter.value'],
      [condition('parent', 'eq', 'me'), 'filter.value'],
      [condition('blocks', 'eq', 'none'), 'filter.value'],
      [condition('blocked_by', 'lt', me), 'filter.op'],
      [condition('blocked', 'eq', 'true'), 'filter.value'],
      [condition('blocked', 'in', [true]), 'filter.op'],
      [condition('due_at', 'eq', 'P7D'), 'filter.op'],
      [condition('created_at', 'eq', null), 'filter.op'],
      [condition('due_at', 'lt', null), 'filter.value'],
      [condition('due_at', 'lt', '2026-02-01'), 'filter.value'],
      [condition('due_at', 'lt', '2026-13-01T00:00:00Z'), 'filter.value'],
      [condition('due_at', 'lt', 'P999999W'), 'filter.value'],
      [deep(6), 'filter.not.not.not.not.not'],
      [{ and: Array.from({ length: 30 }, () => good) }, 'filter.and.29'],
    ];
    for (const [given, field] of faults) expect(fieldOf(given), JSON.stringify(given)).to.equal(field);
    expect(fieldOf(deep(5))).to.equal(undefined);
    expect(fieldOf({ and: Array.from({ length: 29 }, () => good) })).to.equal(undefined);
  });
});
