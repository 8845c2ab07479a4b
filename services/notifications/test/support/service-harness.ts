import { notificationsRoutes, type EventPayload } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import { testMail, waitFor, type Mail, type TestMail } from '@taskwire/testing';
import type { NotificationView } from '../../src/app/inbox.ts';
import type { FakeTask, FakeUser } from './fake-services.ts';
import { startService, startSurroundings, type RunningService, type Surroundings } from './running-service.ts';

const list = notificationsRoutes.listNotifications.responses[200];

/** The maximum time for any step on a busy machine. */
const patience = { timeoutMs: 20_000 };

/** Waits for a condition, with the time-out above. */
export const eventually = async <T>(condition: () => T | Promise<T>) => await waitFor(condition, patience);

/** A running service, with new users and a new task created by Mia for each test. */
export type ServiceHarness = {
  readonly around: Surroundings;
  readonly service: RunningService;
  readonly mail: TestMail;
  readonly mia: FakeUser;
  readonly ann: FakeUser;
  readonly ben: FakeUser;
  task: FakeTask;
  /** The fields that all events of the task share. Each call returns a slightly later time than the previous call. */
  fact(actor: FakeUser | null): { task_uuid: string; timestamp: string; actor: string | null };
  /** Mia assigns the task, to Ann by default. */
  assigned(performer?: FakeUser): EventPayload<'tasks.task.assigned'>;
  /** A user's notifications, newest first. */
  notificationsOf(user: FakeUser): Promise<NotificationView[]>;
  typesOf(user: FakeUser): Promise<string[]>;
  /** Waits for the first mail that matches. */
  mailed(matches: (mail: Mail) => boolean): Promise<Mail>;
  mailsTo(user: FakeUser): TestMail['received'];
  /** Resolves once all previously published events of the task have been handled. */
  allHandled(): Promise<void>;
  /** Resolves once these messages have been handled. */
  handled(messageIds: string[]): Promise<void>;
  /** Returns the rows of a query on the service's database. */
  rows<R extends object>(text: string, values?: unknown[]): Promise<R[]>;
};

/** Starts the service for the tests of the enclosing describe. */
export function serviceHarness(): ServiceHarness {
  let around: Surroundings;
  let service: RunningService;
  let mail: TestMail;
  let [mia, ann, ben]: FakeUser[] = [];
  let clock = Date.parse('2026-11-20T10:00:00Z');

  before(async () => {
    around = await startSurroundings();
    mail = await testMail();
    service = await startService(around, { SMTP_URL: mail.url });
  });
  after(async () => {
    await service.stop();
    await mail.stop();
    await around.stop();
  });
  beforeEach(() => {
    mia = around.others.addUser('Mia', 'manager');
    ann = around.others.addUser('Ann');
    ben = around.others.addUser('Ben');
    harness.task = around.others.addTask(mia, 'Paint the fence');
  });
  afterEach(() => {
    around.others.down.clear();
    mail.answer(() => undefined);
  });

  const harness: ServiceHarness = {
    get around() {
      return around;
    },
    get service() {
      return service;
    },
    get mail() {
      return mail;
    },
    get mia() {
      return mia!;
    },
    get ann() {
      return ann!;
    },
    get ben() {
      return ben!;
    },
    // recreated before each test
    task: { id: '', title: '', creatorId: '', version: 0, updatedAt: '' },
    fact: (actor) => ({
      task_uuid: harness.task.id,
      timestamp: new Date((clock += 10)).toISOString(),
      actor: actor?.id ?? null,
    }),
    assigned: (performer = harness.ann) => ({ ...harness.fact(harness.mia), assigned_to: performer.id }),
    async notificationsOf(user) {
      const token = await around.others.userToken(user);
      const { body } = await service.call('GET', '/api/v1/notifications', { token });
      return list.parse(body).data;
    },
    typesOf: async (user) => (await harness.notificationsOf(user)).map(({ type }) => type),
    mailed: async (matches) => await mail.waitFor(matches, patience),
    mailsTo: (user) => mail.received.filter(({ to }) => to.includes(user.email)),
    async allHandled() {
      const marker = around.others.addUser('Marker');
      await around.publish('tasks.task.unassigned', { ...harness.fact(harness.mia), unassigned_from: marker.id });
      await eventually(async () => (await harness.typesOf(marker)).length === 1);
    },
    async handled(messageIds) {
      const text = `SELECT 1 FROM inbox WHERE message_id = ANY ($1) AND handler IN ('notify', 'welcome')`;
      await eventually(async () => (await harness.rows(text, [messageIds])).length === messageIds.length);
    },
    rows: async <R extends object>(text: string, values: unknown[] = []) =>
      await query<R>(around.database.db.pool, text, values),
  };
  return harness;
}
