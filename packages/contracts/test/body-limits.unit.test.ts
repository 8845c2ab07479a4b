import { expect } from 'chai';
import { inputSchema, type JsonSchema } from '../generate/json-schema.ts';
import { authRoutes, bodyLimitOf, notificationsRoutes, tasksRoutes, type Route } from '../src/index.ts';
import { largestBatchBytes } from '../src/rest/job-schemas.ts';
import { largestTemplateBytes } from '../src/rest/templates.ts';

const routes: Route[] = [authRoutes, tasksRoutes, notificationsRoutes].flatMap((table) => Object.values(table));

/** Maximum lengths of texts with a format. A time may have any number of fractional digits, but no client sends forty. */
const longestOfFormat: Record<string, number> = { uuid: 36, 'date-time': 70 };

/** The size in bytes of the longest compact JSON that a schema accepts, from a client that escapes every character (`\u0041`). */
function largest(schema: JsonSchema, where: string): number {
  const options = (schema['anyOf'] ?? schema['oneOf']) as JsonSchema[] | undefined;
  if (options) return Math.max(...options.map((option) => largest(option, where)));
  const fixed = (schema['enum'] ?? ('const' in schema ? [schema['const']] : undefined)) as unknown[] | undefined;
  if (fixed) return Math.max(...fixed.map((value) => JSON.stringify(value).length * 6));
  switch (schema['type']) {
    case 'string': {
      const length = schema['maxLength'] ?? longestOfFormat[String(schema['format'])];
      if (typeof length !== 'number') return expect.fail(`${where} has no longest text`);
      return length * 6 + 2;
    }
    case 'array':
      return 2 + Number(schema['maxItems']) * (largest(schema['items'] as JsonSchema, where) + 1);
    case 'object':
      return Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>).reduce(
        (bytes, [name, property]) => bytes + name.length * 6 + 4 + largest(property, `${where}.${name}`),
        2,
      );
    default:
      return 24;
  }
}

/** Only its total size limits a batch of jobs, or a template: a thousand of the largest jobs would have 400 MiB, and a hundred tasks 7 MiB. */
const limitedBySize = new Set<number | undefined>([largestBatchBytes, largestTemplateBytes]);

describe('Body size limits', () => {
  for (const route of routes) {
    if (route.body === undefined || route.bodyType !== undefined || limitedBySize.has(route.maxBodyBytes)) continue;
    const schema = inputSchema(route.body);
    it(`allow the longest request of ${route.operationId}`, () => {
      expect(largest(schema, route.operationId)).to.be.a('number').and.at.most(bodyLimitOf(route));
    });
  }

  it('are 16 KiB on public routes, 64 KiB elsewhere, and larger only where a route declares it', () => {
    for (const route of routes) {
      if (route.maxBodyBytes !== undefined) continue;
      const isPublic = /^\/(api\/v1\/auth|oidc)\//.test(route.path);
      expect(bodyLimitOf(route), route.path).to.equal(isPublic ? 16_384 : 65_536);
      if (route.access.kind === 'anyone' && route.body !== undefined) expect(isPublic, route.path).to.equal(true);
    }
    const larger = routes.filter(({ maxBodyBytes }) => maxBodyBytes !== undefined);
    expect(larger.map(({ operationId }) => operationId)).to.deep.equal([
      ...['createTask', 'changeTask', 'bulkTasks', 'enqueueJob', 'enqueueJobs', 'heartbeatJobs', 'settleJobs', 'completeJob'],
      ...['createSchedule', 'changeSchedule', 'createTaskTemplate', 'changeTaskTemplate'],
    ]);
    expect(bodyLimitOf({ path: '/oidcx' })).to.equal(65_536);
  });
});
