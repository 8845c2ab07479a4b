import type { Policy } from './policies.ts';

/** What RabbitMQ's management API says of one vhost. AMQP 0-9-1 has no way to ask for either. */
export type Management = {
  policies(signal: AbortSignal): Promise<Policy[]>;
  /** The bindings of a queue; none when there is no such queue. */
  bindings(queue: string, signal: AbortSignal): Promise<Binding[]>;
};

export type Binding = { exchange: string; routingKey: string };

/** A management API that is busy counting must not hold up the check for long. */
const answerTimeoutMs = 5_000;

/**
 * Asks as the login of the AMQP URL, which needs the tag `management`, unless the URL of the API has a login of its own. The calls reject when the
 * API cannot be reached, refuses, or takes longer than 5 s; their errors name no password.
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
    async bindings(queue, signal) {
      const found = await get(`/queues/${vhost}/${encodeURIComponent(queue)}/bindings`, signal);
      return (found as { source: string; routing_key: string }[]).map(({ source, routing_key: routingKey }) => ({
        exchange: source,
        routingKey,
      }));
    },
  };
}
