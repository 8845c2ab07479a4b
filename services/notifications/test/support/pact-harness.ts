import { query } from '@taskwire/postgres';
import { createRabbit, publishOnlyTopology } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import type { ExampleMessage } from '@taskwire/pact-testing';
import { silent, testMail, waitFor } from '@taskwire/testing';
import type { FakeTask } from './fake-services.ts';
import { startService, startSurroundings, type RunningService } from './running-service.ts';

/** The running service, for tests that send complete messages. */
export type PactHarness = {
  service: RunningService;
  publish(message: ExampleMessage): Promise<void>;
  /** Adds a user to Auth. */
  know(user: { id: string; name: string; version?: number }): void;
  /** Deletes a user from Auth. */
  forget(userId: string): void;
  /** Adds a task to Tasks. */
  knowTask(task: FakeTask): void;
  /** The types of a user's notifications, newest first. */
  typesOf(userId: string): Promise<string[]>;
  /** Whether a mail of this type is planned for a user; null for a recipient without an account. */
  mailed(userId: string | null, type: string): Promise<boolean>;
  stop(): Promise<void>;
};

export async function startPactHarness(): Promise<PactHarness> {
  const [around, mail] = [await startSurroundings(), await testMail()];
  const service = await startService(around, { SMTP_URL: mail.url });
  const telemetry = createTelemetry({ service: 'publisher', stream: silent() });
  const rabbit = createRabbit({ url: around.broker.url(), name: 'examples', telemetry, topology: publishOnlyTopology });
  const publisher = rabbit.publisher();
  await rabbit.start();

  return {
    service,
    async publish(message) {
      // returned while the queue isn't bound yet, because the service has only just been started
      await waitFor(async () => (await publisher.publish(message)) === 'confirmed');
    },
    know({ id, name, version = 1 }) {
      const email = `${name.toLowerCase()}@taskwire.test`;
      around.others.users.set(id, { id, name, email, role: 'member', version, isDeleted: false });
    },
    forget(userId) {
      const user = around.others.users.get(userId);
      if (user !== undefined) user.isDeleted = true;
    },
    knowTask: (task) => void around.others.tasks.set(task.id, task),
    async typesOf(userId) {
      const token = await around.others.userToken({ id: userId, role: 'member' });
      const { body } = await service.call('GET', '/api/v1/notifications', { token });
      return (body as { data: { type: string }[] }).data.map(({ type }) => type);
    },
    async mailed(userId, type) {
      const text = `SELECT 1 FROM notifications n JOIN deliveries d ON d.notification_id = n.id
        WHERE n.user_id IS NOT DISTINCT FROM $1 AND n.type = $2 AND d.channel = 'email'`;
      return (await query(around.database.db.pool, text, [userId, type])).length > 0;
    },
    async stop() {
      await service.stop();
      await rabbit.stop();
      await mail.stop();
      await around.stop();
    },
  };
}
