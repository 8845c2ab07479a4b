import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { schemas } from '@taskwire/contracts';
import { demoPeople } from '../infra/local/people.ts';
import type { Suite } from '../infra/local/suite.ts';

export type Task = z.output<typeof schemas.task>;
export type Notification = z.output<typeof schemas.notification>;
export type User = z.output<typeof schemas.user>;

/** A response as a front end receives it. The body is any JSON; each test states what it expects. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the only place where the caller declares the type of a response
export type Answer<B = any> = { status: number; headers: Headers; body: B };

type Init = { body?: unknown; headers?: Record<string, string>; token?: string | undefined };

/** Sends a request as a front end does, to a service or the gateway. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
export async function send<B = any>(base: string, method: string, path: string, init: Init = {}): Promise<Answer<B>> {
  const headers: Record<string, string> = { ...init.headers };
  if (init.token !== undefined) headers['authorization'] = `Bearer ${init.token}`;
  if (init.body !== undefined) headers['content-type'] ??= 'application/json';
  const body = init.body === undefined || typeof init.body === 'string' ? init.body : JSON.stringify(init.body);
  const response = await fetch(`${base}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? undefined : JSON.parse(text)) as B,
  };
}

/** A user with an open session who works through the gateway. */
export type Person = {
  user: User;
  token: string;
  password: string;
  refreshToken: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
  call<B = any>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<B>>;
};

export async function logIn(suite: Suite, email: string, password: string): Promise<Person> {
  const { status, body } = await send(suite.url, 'POST', '/api/v1/auth/login', { body: { email, password } });
  if (status !== 200) throw new Error(`${email} cannot log in: ${status} ${JSON.stringify(body)}`);
  return {
    user: body.user,
    token: body.access_token,
    refreshToken: body.refresh_token,
    password,
    call: async (method, path, sent, headers = {}) =>
      await send(suite.url, method, path, {
        token: body.access_token,
        headers,
        ...(sent === undefined ? {} : { body: sent }),
      }),
  };
}

/** A demo user, identified by the part of the address before the @. */
export async function demoPerson(suite: Suite, name: string): Promise<Person> {
  const person = demoPeople.find(({ email }) => email.startsWith(`${name}@`));
  if (person === undefined) throw new Error(`there is no demo user ${name}`);
  return await logIn(suite, person.email, person.password);
}

/** A new member with a unique address, registered and logged in. */
export async function newMember(suite: Suite, name = 'Nina New'): Promise<Person> {
  const email = `${randomUUID()}@taskwire.test`;
  const password = randomUUID();
  const { status, body } = await send(suite.url, 'POST', '/api/v1/auth/register', { body: { email, password, name } });
  if (status !== 201) throw new Error(`cannot register: ${status} ${JSON.stringify(body)}`);
  return await logIn(suite, email, password);
}

export type CaughtMail = { subject: string; text: string; html: string; headers: Record<string, string> };

/** The mails that the catcher holds for an address, oldest first. */
export async function mailsTo(suite: Suite, email: string): Promise<CaughtMail[]> {
  // filtered by the catcher, because tests poll, and all mails of a run amount to several megabytes
  const response = await fetch(
    `${suite.mailPageUrl}/api/email?${new URLSearchParams({ 'to.address': email }).toString()}`,
  );
  return (await response.json()) as CaughtMail[];
}

/** A user's notifications about a task, newest first. */
export async function notificationsAbout(person: Person, taskId: string): Promise<Notification[]> {
  const { body } = await person.call<{ data: Notification[] }>('GET', '/api/v1/notifications?limit=100');
  return body.data.filter(({ task_id }) => task_id === taskId);
}
