import pg from 'pg';
import { demoPeople } from '../../infra/local/people.ts';
import { freeSuitePorts } from '../../infra/local/ports.ts';
import { newSecrets } from '../../infra/local/secrets.ts';
import { startSuite, type Suite } from '../../infra/local/suite.ts';
import { temporaryFolder } from './temporary-folder.ts';

export type LoggedIn = { id: string; token: string };

/** The whole suite with production settings, with a manager and three members logged in, whose requests are not limited. */
export type SuiteWorld = {
  suite: Suite;
  manager: LoggedIn;
  members: LoggedIn[];
  /** Logs the manager in again: a token is valid for 15 minutes. */
  renew(): Promise<LoggedIn>;
  /** Calls the gateway. @throws when the response is not 2xx. */
  call<T>(method: string, path: string, o: { token: string; body?: unknown }): Promise<T>;
  /** Resolves when all events are published and all mails are sent. @throws after a minute without progress. */
  idle(): Promise<void>;
  stop(): Promise<void>;
};

/** More than any benchmark can send; limits have separate tests. */
const unlimited = '1000000';
/** If the suite has neither published an event nor sent a mail for this long, the missing one is lost. */
const patienceMs = 60_000;
const pollMs = 50;

export async function startSuiteWorld(): Promise<SuiteWorld> {
  const { dir, remove } = temporaryFolder();
  const mails = ['MAILS_PER_RECIPIENT', 'ACCOUNT_MAILS_PER_RECIPIENT', 'MAILS_PER_CALLER'];
  const suite = await startSuite({
    dir,
    ports: await freeSuitePorts(),
    secrets: newSecrets(),
    restarts: 'manual',
    people: demoPeople,
    env: {
      tasks: { TASK_CREATIONS_PER_MINUTE: unlimited },
      notifications: Object.fromEntries(mails.map((name) => [name, unlimited])),
    },
    gateway: { requestsPerSecond: 20_000, burst: 20_000, loginsPerMinute: 6_000, loginBurst: 1_000 },
  });

  async function call<T>(method: string, path: string, o: { token?: string; body?: unknown }): Promise<T> {
    const headers = {
      'content-type': 'application/json',
      ...(o.token !== undefined && { authorization: `Bearer ${o.token}` }),
    };
    const body = o.body === undefined ? null : JSON.stringify(o.body);
    const response = await fetch(`${suite.url}${path}`, { method, headers, body });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  async function logIn(email: string, password: string): Promise<LoggedIn> {
    type Session = { access_token: string; user: { id: string } };
    const session = await call<Session>('POST', '/api/v1/auth/login', { body: { email, password } });
    return { id: session.user.id, token: session.access_token };
  }

  async function waiting(service: 'auth' | 'tasks' | 'notifications', statement: string): Promise<number> {
    const client = new pg.Client({ connectionString: suite.databaseUrl(service) });
    await client.connect();
    try {
      return (await client.query<{ count: number }>(statement)).rows[0]?.count ?? 0;
    } finally {
      await client.end();
    }
  }

  async function unfinished(): Promise<number> {
    const outbox = 'SELECT count(*)::integer AS count FROM outbox';
    const mailed = `SELECT count(*)::integer AS count FROM deliveries WHERE next_attempt_at IS NOT NULL`;
    return (await waiting('tasks', outbox)) + (await waiting('notifications', mailed));
  }

  try {
    const logInAll = async (role: 'manager' | 'member'): Promise<LoggedIn[]> => {
      const people = demoPeople.filter((person) => person.role === role);
      return await Promise.all(people.map(async ({ email, password }) => await logIn(email, password)));
    };
    const renew = async (): Promise<LoggedIn> => {
      const [manager] = await logInAll('manager');
      if (manager === undefined) throw new Error('the demo users have no manager');
      return manager;
    };
    return {
      suite,
      manager: await renew(),
      members: await logInAll('member'),
      renew,
      call,
      async idle() {
        let [least, since] = [Number.POSITIVE_INFINITY, performance.now()];
        for (;;) {
          const count = await unfinished();
          if (count === 0) return;
          if (count < least) [least, since] = [count, performance.now()];
          if (performance.now() - since > patienceMs) throw new Error(`${count} events and mails are still waiting`);
          await new Promise((resolve) => setTimeout(resolve, pollMs));
        }
      },
      async stop() {
        await suite.stop();
        remove();
      },
    };
  } catch (error) {
    await suite.stop();
    remove();
    throw error;
  }
}
