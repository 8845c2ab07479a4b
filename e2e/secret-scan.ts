import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { serviceNames } from '../infra/local/secrets.ts';
import type { Suite } from '../infra/local/suite.ts';

/** A queue that receives a copy of every event, as an operator could create. */
export type EventCopies = { bodies(): Promise<string[]>; remove(): Promise<void> };

/** Sends a request to RabbitMQ's management API. */
export async function copyEvents(suite: Suite, name: string): Promise<EventCopies> {
  const { origin, username, password } = new URL(suite.managementUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${decodeURIComponent(password)}`).toString('base64')}`;
  const vhost = encodeURIComponent(decodeURIComponent(new URL(suite.amqpUrl('operator')).pathname.slice(1)) || '/');

  async function ask(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${origin}/api/${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`RabbitMQ answered ${response.status} to ${method} ${path}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  await ask('PUT', `queues/${vhost}/${name}`, { durable: true });
  await ask('POST', `bindings/${vhost}/e/taskwire.events/q/${name}`, { routing_key: '#' });
  return {
    async bodies() {
      const wanted = { count: 100_000, ackmode: 'ack_requeue_true', encoding: 'auto' };
      const messages = (await ask('POST', `queues/${vhost}/${name}/get`, wanted)) as {
        routing_key: string;
        payload: string;
        properties: object;
      }[];
      return messages.map((message) => JSON.stringify(message));
    },
    async remove() {
      await ask('DELETE', `queues/${vhost}/${name}`);
    },
  };
}

/** Every row of every table of every service, as text by table. */
export async function allRows(suite: Suite): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const service of serviceNames) {
    const client = new pg.Client({ connectionString: suite.databaseUrl(service) });
    await client.connect();
    try {
      const tables = await client.query<{ name: string }>(
        `SELECT quote_ident(table_name) AS name FROM information_schema.tables
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
      );
      for (const { name } of tables.rows) {
        const { rows } = await client.query<{ text: string | null }>(
          `SELECT string_agg(t::text, E'\\n') AS text FROM ${name} t`,
        );
        found.set(`${service}.${name}`, rows[0]?.text ?? '');
      }
    } finally {
      await client.end();
    }
  }
  return found;
}

/** The logs of every process of the suite, by file. */
export function allLogs(): Map<string, string> {
  const base = process.env['TASKWIRE_TEST_DIR'];
  if (base === undefined) throw new Error('TASKWIRE_TEST_DIR is not set');
  const folder = join(base, 'suite');
  const files = globSync('{logs,nginx}/*.log', { cwd: folder });
  return new Map(files.map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
}
