import { setTimeout as delay } from 'node:timers/promises';

/** The response of one attempt. `status` is null if none arrived. */
export type Reply = { status: number | null; body: Record<string, unknown> };

/** The outcome of a request after all its attempts. */
export type Called = {
  outcome: 'acknowledged' | 'refused' | 'unknown';
  /** The body of the first response with 2xx. */
  body: Record<string, unknown>;
  /** The bodies of later responses with 2xx to the same request. */
  repeated: Record<string, unknown>[];
  /** The status of the last attempt. */
  status: number | null;
};

export type CallOptions = {
  /** Headers besides the token, such as an Idempotency-Key. */
  headers?: Record<string, string>;
  method?: 'POST' | 'PUT' | 'PATCH';
  /** How long an attempt waits for a response. */
  patienceMs?: number;
  maxTries?: number;
  /** Sends the request once more after it was acknowledged. */
  again?: boolean;
};

/** Sends requests of one program or user through the gateway, and repeats those without a response. */
export type Calls = (path: string, body: object, o?: CallOptions) => Promise<Called>;

/** About as long as other users wait; see `run.ts`. */
const patienceMs = 4_000;
const maxTries = 4;
const pauseMs = 400;

/**
 * `token` requests an access token, and throws while Auth is unavailable. A request is repeated under the same headers and with the same body, so it must
 * be repeatable.
 */
export function createCalls(o: { url: string; ip: string; token: () => Promise<string> }): Calls {
  let token: string | undefined;

  async function once(path: string, body: object, given: CallOptions): Promise<Reply> {
    try {
      token ??= await o.token();
    } catch {
      // not sent, so that a refusal is certain
      return { status: 401, body: {} };
    }
    try {
      const response = await fetch(`${o.url}${path}`, {
        method: given.method ?? 'POST',
        headers: {
          ...given.headers,
          'content-type': 'application/json',
          'x-forwarded-for': o.ip,
          authorization: `Bearer ${token}`,
        },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(given.patienceMs ?? patienceMs),
      });
      const text = await response.text();
      if (response.status === 401) token = undefined;
      return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Reply['body'] };
    } catch {
      return { status: null, body: {} };
    }
  }

  return async (path, body, given = {}) => {
    const replies: Reply[] = [];
    for (let tries = 0; tries < (given.maxTries ?? maxTries); tries++) {
      if (tries > 0) await delay(pauseMs);
      const reply = await once(path, body, given);
      replies.push(reply);
      if (!isOpen(reply) && reply.status !== 401 && reply.status !== 429) break;
    }
    if (given.again === true && replies.some(isAcknowledged)) replies.push(await once(path, body, given));
    return conclude(replies);
  };
}

/** Determines the outcome from all replies. */
export function conclude(replies: readonly Reply[]): Called {
  const [first, ...repeated] = replies.filter(isAcknowledged);
  const status = replies.at(-1)?.status ?? null;
  if (first !== undefined)
    return { outcome: 'acknowledged', body: first.body, repeated: repeated.map(({ body }) => body), status };
  return { outcome: replies.some(isOpen) ? 'unknown' : 'refused', body: {}, repeated: [], status };
}

function isAcknowledged({ status }: Reply): boolean {
  return status !== null && status >= 200 && status < 300;
}

/** A 5xx guarantees nothing, and neither does the refusal of a key whose first request is still in progress. */
function isOpen({ status, body }: Reply): boolean {
  return status === null || status >= 500 || status === 408 || body['code'] === 'idempotency_in_progress';
}
