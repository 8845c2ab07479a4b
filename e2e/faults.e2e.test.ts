import { expect } from 'chai';
import pg from 'pg';
import { faultRounds, isDrill, waitFor } from '@taskwire/testing';
import { demoPerson, mailsTo, newMember, notificationsAbout, send, type Person, type Task } from './front-end.ts';
import { useSuite } from './suite.ts';

const recovery = { timeoutMs: 30_000 };

describe('An acknowledged change', function () {
  this.timeout(120_000);
  const suite = useSuite();
  let manager: Person;
  let performer: Person;

  before(async () => {
    manager = await demoPerson(suite(), 'manager');
    performer = await newMember(suite(), 'Fay Fault');
    // the mail with the link that verifies the address
    await waitFor(async () => (await mailsTo(suite(), performer.user.email)).length === 1);
    // other tests kill Auth: for a few seconds after its restart, an open circuit breaker may keep Tasks from looking up the performer
    await waitFor(async () => (await tryAssigning('Known')).status === 201, recovery);
  });

  afterEach('every process runs', async () => {
    for (const child of suite().processes) if (child.pid() === undefined) await child.start();
    await waitFor(
      async () => (await send(suite().url, 'GET', '/api/v1/tasks', { token: manager.token })).status === 200,
      recovery,
    );
  });

  const tryAssigning = async (title: string) =>
    await manager.call<Task>('POST', '/api/v1/tasks', { title, assignee_id: performer.user.id });

  async function assign(title: string): Promise<Task> {
    const { status, body } = await tryAssigning(title);
    expect(status, JSON.stringify(body)).to.equal(201);
    return body;
  }

  /**
   * Expects exactly one notification of each task for its performer, and exactly one mail. If the process was killed during the handoff of a mail,
   * the outcome is unknown and the mail is not sent again (ADR 11), so there is at most one.
   */
  async function expectNotifiedOnce(tasks: readonly Task[]): Promise<void> {
    let uncertain: string[] = [];
    await waitFor(async () => {
      uncertain = await tasksOfUncertainMails();
      const mails = await mailsTo(suite(), performer.user.email);
      return tasks.every(
        ({ id, title }) => uncertain.includes(id) || mails.some(({ subject }) => subject.includes(title)),
      );
    }, recovery);
    for (const task of tasks) {
      const notifications = await notificationsAbout(performer, task.id);
      expect(
        notifications.map(({ type }) => type),
        task.title,
      ).to.deep.equal(['task.assigned']);
      const mails = (await mailsTo(suite(), performer.user.email)).filter(({ subject }) =>
        subject.includes(task.title),
      );
      if (uncertain.includes(task.id)) expect(mails, task.title).to.have.length.at.most(1);
      else expect(mails, task.title).to.have.length(1);
    }
  }

  /** The tasks whose mails were handed off but have had no response for longer than the mail catcher ever takes. */
  async function tasksOfUncertainMails(): Promise<string[]> {
    const rows = await rowsOf<{ task_id: string }>(
      'notifications',
      `SELECT n.task_id FROM deliveries d JOIN notifications n ON n.id = d.notification_id
       WHERE d.channel = 'email' AND d.state IN ('sending', 'unknown') AND d.updated_at < now() - interval '5 seconds'`,
    );
    return rows.map(({ task_id: id }) => id);
  }

  async function waitingInOutbox(): Promise<number> {
    return (await rowsOf('tasks', 'SELECT FROM outbox')).length;
  }

  async function rowsOf<R extends object>(service: 'tasks' | 'notifications', text: string): Promise<R[]> {
    const client = new pg.Client({ connectionString: suite().databaseUrl(service) });
    await client.connect();
    try {
      return (await client.query<R>(text)).rows;
    } finally {
      await client.end();
    }
  }

  it('waits in the queue while Notifications is down', async () => {
    await suite().process('notifications').stop();
    const tasks = [await assign('Notifications down 1'), await assign('Notifications down 2')];
    await suite().process('notifications').start();
    await expectNotifiedOnce(tasks);
  });

  it('is possible without Auth for logged-in users, and copies catch up later', async () => {
    const newcomer = await newMember(suite(), 'Neo Newcomer');
    await suite().process('auth').kill();
    const task = await assign('Auth down');
    await expectNotifiedOnce([task]);
    expect(
      (await send(suite().url, 'POST', '/api/v1/auth/login', { body: { email: 'a@b.test', password: 'x' } })).status,
    ).to.be.oneOf([502, 503]);
    await suite().process('auth').start();
    await waitFor(
      async () =>
        (await manager.call('POST', `/api/v1/tasks/${task.id}/assign`, { assignee_id: newcomer.user.id })).status ===
        200,
      recovery,
    );
    await waitFor(async () => (await notificationsAbout(newcomer, task.id)).length === 1, recovery);
  });

  it('survives a kill of PostgreSQL under all services', async () => {
    const first = await assign('Before PostgreSQL died');
    await suite().process('postgres').kill();
    const refused = await manager.call('POST', '/api/v1/tasks', { title: 'Never acknowledged' });
    expect(refused.status).to.equal(503);
    await suite().process('postgres').start();
    const second = await waitFor(async () => {
      const { status, body } = await manager.call<Task>('POST', '/api/v1/tasks', {
        title: 'After PostgreSQL came back',
        assignee_id: performer.user.id,
      });
      return status === 201 && body;
    }, recovery);
    await expectNotifiedOnce([first, second]);
  });

  for (const victim of isDrill ? (['tasks', 'notifications'] as const) : (['notifications'] as const)) {
    it(`notifies once although ${victim} is killed with -9 while it handles the change`, async () => {
      const rounds = faultRounds({ drill: 3 });
      const tasks: Task[] = [];
      for (let round = 0; round < rounds; round++) {
        tasks.push(await assign(`${victim} killed ${round} a`), await assign(`${victim} killed ${round} b`));
        await suite().process(victim).kill();
        await suite().process(victim).start();
        await waitFor(async () => (await manager.call('GET', '/api/v1/tasks?limit=1')).status === 200, recovery);
      }
      await expectNotifiedOnce(tasks);
    });
  }

  // restarting the broker and the mail server takes long
  if (isDrill) {
    it('waits in the outbox while the broker is down, and is published when it is back', async () => {
      await suite().process('rabbitmq').kill();
      const tasks = [await assign('Broker down 1'), await assign('Broker down 2')];
      expect(await waitingInOutbox()).to.be.at.least(6);
      await suite().process('rabbitmq').start();
      await expectNotifiedOnce(tasks);
      await waitFor(async () => (await waitingInOutbox()) === 0);
    });

    it('is not lost while no mail can be sent', async () => {
      await suite().process('mail').stop();
      const task = await assign('Mail down');
      await waitFor(async () => (await notificationsAbout(performer, task.id)).length === 1, recovery);
      await suite().process('mail').start();
      await waitFor(
        async () => (await mailsTo(suite(), performer.user.email)).some(({ subject }) => subject.includes('Mail down')),
        {
          timeoutMs: 60_000,
        },
      );
    });
  }
});
