import { schemas, tasksRoutes, type Route } from '@taskwire/contracts';
import { expect } from 'chai';
import { z } from 'zod';

type Operation = keyof typeof tasksRoutes;
export type Task = z.output<typeof schemas.task>;
export type Activity = z.output<typeof schemas.activity>;

export type Call = {
  token?: string;
  params?: Record<string, string>;
  query?: Record<string, string>;
  /** Sent as JSON; strings are sent unchanged. */
  body?: unknown;
  headers?: Record<string, string>;
};

export type Answer = { status: number; headers: Headers; body: unknown };

/** Calls an operation of a running Tasks service. Validates every response against the contract. */
export async function call(baseUrl: string, operation: Operation, given: Call): Promise<Answer> {
  const route: Route = tasksRoutes[operation];
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => given.params?.[name] ?? '');
  const response = await fetch(`${baseUrl}${path}?${new URLSearchParams(given.query)}`.replace(/\?$/, ''), {
    method: route.method.toUpperCase(),
    headers: {
      ...(given.token === undefined ? {} : { authorization: `Bearer ${given.token}` }),
      ...(given.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...given.headers,
    },
    ...(given.body === undefined
      ? {}
      : { body: typeof given.body === 'string' ? given.body : JSON.stringify(given.body) }),
  });
  const text = await response.text();
  const answer = {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
  expectContract(route, answer, given);
  return answer;
}

function expectContract(route: Route, { status, headers, body }: Answer, { query }: Call): void {
  if (status === 304) return;
  const schema = status < 300 ? route.responses[status] : schemas.problem;
  if (schema === undefined) expect.fail(`${route.operationId} does not answer ${status}`);
  if (schema === null) expect(body).to.equal(undefined);
  else {
    // strict: a response must contain nothing beyond the contract
    expect(schema.parse(body)).to.deep.equal(body);
    const type = status < 300 ? 'application/json' : 'application/problem+json';
    expect(headers.get('content-type')).to.equal(`${type}; charset=utf-8`);
  }
  if (status === 201) {
    const created = body as Record<string, string>;
    const location = route.location?.replaceAll(/\{(\w+)\}/g, (_, field: string) => created[field] ?? '');
    expect(headers.get('location')).to.equal(location).and.to.be.a('string');
  }
  // facts that follow from other resources are in no version
  if (query?.['include'] !== undefined) expect(headers.get('etag')).to.equal(null);
  else if (status < 300 && route.etag === true) expect(headers.get('etag')).to.match(/^"(\d+-)?[\w-]{27}"$/);
}

/** The problem code in a response. */
export function codeOf({ body }: Answer): string {
  return schemas.problem.parse(body).code;
}
