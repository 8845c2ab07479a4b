import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { withKnownIds } from '../known-ids.ts';
import { allOperations, type Json } from '../operations.ts';
import { bulkOperationsOf, conditionValues, validBody } from '../rich-inputs.ts';

const contracts = new URL('../../../contracts/', import.meta.url);
const operations = allOperations(contracts);
const idsOf = new Set(operations.map(({ id }) => id));

/** Operations that end the sessions of the run, or that log out of OpenID. A new operation belongs here only with such a reason. */
const leftOut = ['logout', 'logoutEverywhere', 'changePassword', 'endSession', 'endConsent'];

describe('The fuzzer', () => {
  it('knows every operation of every document, except those that end its sessions and the OpenID pages', () => {
    const folder = new URL('openapi/', contracts);
    const missing = readdirSync(folder).flatMap((name) => {
      const { paths } = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as {
        paths: Record<string, Record<string, { operationId: string }>>;
      };
      return Object.entries(paths).flatMap(([path, methods]) =>
        Object.values(methods).flatMap(({ operationId }) =>
          idsOf.has(operationId) || path.startsWith('/oidc/') ? [] : [operationId],
        ),
      );
    });
    expect(missing).to.have.members(leftOut);
  });

  it('makes every operation of a bulk request, with the body of the operation that it stands for', () => {
    const named = bulkOperationsOf(operations);
    expect([...idsOf]).to.include.members(Object.values(named));
    const bulk = operations.find(({ id }) => id === 'bulkTasks')!;
    const made = fc.sample(validBody(bulk, operations), { numRuns: 60, seed: 1 }) as { operations: { op: string }[] }[];
    expect([...new Set(made.flatMap((one) => one.operations.map(({ op }) => op)))]).to.have.members(Object.keys(named));
  });

  it('makes conditions on every field that the documentation of a filter names', () => {
    const search = operations.find(({ id }) => id === 'searchTasks')!;
    const { properties } = search.body as { properties: { filter: { description: string } } };
    const [, described = ''] = properties.filter.description.split('`{"field", "op", "value"}`');
    const words = new Set([...described.matchAll(/`([a-z_]+)`/g)].map(([, word = '']) => word));
    for (const word of ['eq', 'ne', 'in', 'lt', 'lte', 'gt', 'gte', 'me', 'none']) words.delete(word);
    expect(Object.keys(conditionValues)).to.have.members([...words]);
  });

  it('puts ids of what exists into bodies, queries and conditions, and leaves some as they are', () => {
    const [task, project, random] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
    const known = new Map([
      ['tasks', [task]],
      ['projects', [project]],
    ]);
    const body: Json = {
      ...{ title: random, project_id: random, view_id: random, parent: 'none' },
      filter: { and: [{ field: 'project', op: 'in', value: [random, 'none'] }] },
      operations: [{ id: random, other_id: random, body: { parent_id: null, project_id: random } }],
    };
    expect(withKnownIds(body, known, 1)).to.deep.equal({
      ...{ title: random, project_id: project, view_id: random, parent: 'none' },
      filter: { and: [{ field: 'project', op: 'in', value: [project, 'none'] }] },
      operations: [{ id: task, other_id: task, body: { parent_id: null, project_id: project } }],
    });
    expect(withKnownIds(body, known, 4)).to.deep.equal(body);
  });
});
