/** A response of the public API. The body can be any JSON; the caller checks it. */
export type Answer = { status: number; etag: string | null; body: Json };
export type Json = Record<string, unknown>;

/** A user with a session, who works through the gateway. */
export type Session = {
  id: string;
  email: string;
  password: string;
  call(method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Answer>;
};

/** A request that takes longer counts as failed. */
const timeoutMs = 10_000;

export async function send(
  url: string,
  method: string,
  path: string,
  o: { token?: string; body?: object | undefined; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...o.headers,
      ...(o.token === undefined ? {} : { authorization: `Bearer ${o.token}` }),
      ...(o.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(o.body === undefined ? {} : { body: JSON.stringify(o.body) }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  const body = text.startsWith('{') ? (JSON.parse(text) as Json) : {};
  return { status: response.status, etag: response.headers.get('etag'), body };
}

/** Logs a user in. @throws an error with the response if the log-in is refused. */
export async function logIn(url: string, email: string, password: string): Promise<Session> {
  const { status, body } = await send(url, 'POST', '/api/v1/auth/login', { body: { email, password } });
  if (status !== 200) throw new Error(`the log-in of ${email} got ${status}: ${JSON.stringify(body)}`);
  const token = String(body['access_token']);
  return {
    ...{ id: idOf(body['user']), email, password },
    call: async (method, path, sent, headers = {}) => await send(url, method, path, { token, body: sent, headers }),
  };
}

/** @throws unless the response has this status. */
export function expectStatus(answer: Answer, status: number, what: string): Json {
  if (answer.status === status) return answer.body;
  throw new Error(`${what} got ${answer.status} instead of ${status}: ${JSON.stringify(answer.body)}`);
}

export function idOf(body: unknown): string {
  return String((body as { id?: unknown }).id);
}
