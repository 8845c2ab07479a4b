import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A notification of Alertmanager about one alert. */
export type Notification = {
  at: number;
  receiver: string;
  status: 'firing' | 'resolved';
  labels: Record<string, string>;
  annotations: Record<string, string>;
};

export type Webhook = {
  url: string;
  /** All notifications so far, in order. */
  notifications: readonly Notification[];
  /** Resolves with the first notification about an alert after `since`. @throws after `timeoutMs` */
  next(alert: string, status: Notification['status'], since: number, timeoutMs: number): Promise<Notification>;
  close(): Promise<void>;
};

type Body = { receiver: string; alerts: Pick<Notification, 'status' | 'labels' | 'annotations'>[] };

/** Receives the notifications of Alertmanager, as PagerDuty would. */
export async function startWebhook(): Promise<Webhook> {
  const notifications: Notification[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { receiver, alerts } = JSON.parse(Buffer.concat(chunks).toString()) as Body;
      for (const { status, labels, annotations } of alerts) {
        notifications.push({ at: performance.now(), receiver, status, labels, annotations });
      }
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    notifications,
    async next(alert, status, since, timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      while (performance.now() < deadline) {
        const found = notifications.find(
          (one) => one.labels['alertname'] === alert && one.status === status && one.at > since,
        );
        if (found !== undefined) return found;
        await delay(50);
      }
      throw new Error(`${alert} was not ${status} within ${timeoutMs / 1000} s`);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
