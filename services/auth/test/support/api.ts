import { authRoutes, schemas, type Route } from '@taskwire/contracts';
import { expect } from 'chai';

export type Answer = { status: number; headers: Headers; text: string; body: unknown };

type Call = {
  token?: string | undefined;
  body?: unknown;
  params?: Record<string, string>;
  query?: Record<string, string>;
  headers?: Record<string, string>;
};

export type Api = ReturnType<typeof createApi>;

/** Calls a running Auth. Each response of an operation is checked against its contract, and each problem against the contract of problems. */
export function createApi(baseUrl: string) {
  async function raw(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(`${baseUrl}${path}`, init);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
  }

  async function call(operation: keyof typeof authRoutes, given: Call = {}): Promise<Answer> {
    const route: Route = authRoutes[operation];
    const path = route.path.replaceAll(/\{(\w+)\}/g, (_match, name: string) => given.params?.[name] ?? '');
    const query = given.query === undefined ? '' : `?${new URLSearchParams(given.query).toString()}`;
    const answer = await raw(`${path}${query}`, {
      method: route.method.toUpperCase(),
      headers: {
        ...(given.token === undefined ? {} : { authorization: `Bearer ${given.token}` }),
        ...(given.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(route.ifMatch === 'required' ? { 'if-match': '*' } : {}),
        ...given.headers,
      },
      ...(given.body === undefined ? {} : { body: JSON.stringify(given.body) }),
    });
    checkContract(route, answer);
    return answer;
  }

  return {
    baseUrl,
    raw,
    call,
    async form(path: string, fields: Record<string, string> | string, headers: Record<string, string> = {}) {
      return await raw(path, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(fields).toString(),
      });
    },
  };
}

function checkContract(route: Route, answer: Answer): void {
  const schema = route.responses[answer.status];
  if (schema === null) expect(answer.text).to.equal('');
  else if (schema !== undefined)
    expect(schema.parse(answer.body)).to.deep.equal(answer.body, 'has fields that the contract lacks');
  else if (answer.status !== 304) expectProblem(answer);
  if (answer.status === 201) {
    const { id } = answer.body as { id: string };
    expect(answer.headers.get('location')).to.equal(route.location?.replace('{id}', id)).and.to.be.a('string');
  }
}

type Problem = { status: number; code: string; detail: string; errors?: { field: string; code: string }[] };

/** The response as a problem document (RFC 9457). */
export function expectProblem(answer: Answer, code?: string): Problem {
  expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/, answer.text);
  const problem = schemas.problem.parse(answer.body);
  expect(problem.status).to.equal(answer.status);
  if (code !== undefined) expect(problem.code).to.equal(code, answer.text);
  return problem as Problem;
}
