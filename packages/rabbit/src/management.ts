import type { Policy } from './policies.ts';

/** RabbitMQ's management API for one vhost. AMQP 0-9-1 can query neither policies nor bindings. */
export type Management = {
  policies(signal: AbortSignal): Promise<Policy[]>;
  /** Returns the bindings to a queue or an exchange; an empty list if it does not exist. */
  bindings(destination: Destination, signal: AbortSignal): Promise<Binding[]>;
};

/** The destination of a binding. */
export type Destination = { kind: 'queue' | 'exchange'; name: string };

/** `partition` is the header of a binding to a headers exchange. */
export type Binding = { exchange: string; routingKey: string; partition?: string | undefined };

/** A management API that is busy collecting statistics must not delay the check for long. */
const answerTimeoutMs = 5_000;

/**
 * Uses the login of the AMQP URL, which needs the tag `management`, unless the URL of the API has its own login. Calls reject if the API cannot be
 * reached, refuses, or takes longer than 5 s. Their errors contain no password.
 */
export function createManagement({ url, amqpUrl }: { url: string; amqpUrl: string }): Management {
  const amqp = new URL(amqpUrl);
  const api = new URL(url);
  const { username, password } = api.username === '' ? amqp : api;
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
  const base = `${api.origin}${api.pathname.replace(/\/$/, '')}/api`;
  const vhost = encodeURIComponent(decodeURIComponent(amqp.pathname.slice(1)) || '/');

  async function get(path: string, signal: AbortSignal): Promise<unknown> {
    const response = await fetch(`${base}${path}`, {
      headers: { authorization },
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]),
    });
    if (response.ok) return await response.json();
    await response.body?.cancel();
    if (response.status === 404) return [];
    const hint = response.status === 401 ? ': the login needs the tag management' : '';
    throw new Error(`RabbitMQ's management API answered GET ${path} with ${response.status}${hint}`);
  }

  return {
    policies: async (signal) => (await get(`/policies/${vhost}`, signal)) as Policy[],
    async bindings({ kind, name }, signal) {
      const path = `${vhost}/${encodeURIComponent(name)}/bindings`;
      const found = await get(kind === 'queue' ? `/queues/${path}` : `/exchanges/${path}/destination`, signal);
      return (found as FoundBinding[]).map(({ source, routing_key: routingKey, arguments: { partition } }) => ({
        ...{ exchange: source, routingKey, partition },
      }));
    },
  };
}

type FoundBinding = { source: string; routing_key: string; arguments: { partition?: string } };
