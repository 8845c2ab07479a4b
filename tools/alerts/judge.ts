import { setTimeout as delay } from 'node:timers/promises';
import { alerts } from '../../infra/observability/alerts.ts';
import { runbookOf } from '../../infra/observability/alert.ts';
import type { Fault } from './fault.ts';
import type { Notification, Webhook } from './webhook.ts';
import type { World } from './world.ts';

/** For an alert after its fault, and for its end after healing. */
const usualPatienceMs = 45_000;
/** The objectives look back for three minutes. */
const longestLookBackMs = 240_000;
/** How long to wait, after a cause has ended, for pages that follow from it: longer than the shorter window of a page. */
const consequencesMs = 3_000;

const bySlowBurn = new Set([
  'ApiBudgetIsBurning',
  'LatencyBudgetIsBurning',
  'FreshnessBudgetIsBurning',
  'UserDirectoryDrift',
]);

type Part = (name: string, work: () => Promise<string | void>) => Promise<void>;

export type Judge = {
  /** Rejects unless every target is up and no alert fires, for several seconds. */
  isQuiet(): Promise<string>;
  /** Makes a fault, expects its alerts, heals it, calls `healed`, and expects their end. */
  fire(fault: Fault, healed?: () => void): Promise<void>;
  /** Waits for the end of the alerts with long windows. */
  haveEnded(): Promise<string>;
};

export function createJudge(world: World, webhook: Webhook, part: Part): Judge {
  const began = new Map<string, number>();

  async function active(): Promise<string[]> {
    const response = await fetch(`http://127.0.0.1:${world.ports.prometheus}/api/v1/alerts`);
    const { data } = (await response.json()) as {
      data: { alerts: { state: string; labels: Record<string, string> }[] };
    };
    return data.alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels['alertname'] ?? '');
  }

  const firing = async () => (await active()).filter((name) => !name.startsWith('CauseIs'));

  async function fire(fault: Fault, healed = (): void => undefined): Promise<void> {
    const { title, alerts: names, isCause, begin, patienceMs = usualPatienceMs } = fault;
    await part(title, async () => {
      const since = performance.now();
      for (const name of names) began.set(name, since);
      let fired: Notification[];
      try {
        const heal = await begin(world);
        try {
          fired = await Promise.all(names.map(async (name) => await webhook.next(name, 'firing', since, patienceMs)));
        } finally {
          await heal();
        }
      } finally {
        healed();
      }
      for (const notification of fired) checkNotification(notification);
      const healedAt = performance.now();
      const quick = names.filter((name) => !bySlowBurn.has(name));
      const ended = await Promise.all(
        quick.map(async (name) => await webhook.next(name, 'resolved', since, 2 * usualPatienceMs)),
      );
      if (isCause === true) {
        await delay(consequencesMs);
        const pages = new Set(
          webhook.notifications
            .filter(({ at, receiver, status }) => at > since && receiver === 'page' && status === 'firing')
            .map(({ labels }) => labels['alertname']),
        );
        if (pages.size !== 1) throw new Error(`it paged more than once: ${[...pages].join(', ')}`);
      }
      const seconds = (from: number, list: Notification[]) =>
        list.map(({ at, labels }) => `${labels['alertname']} ${((at - from) / 1000).toFixed(1)} s`).join(', ');
      return `fired after ${seconds(since, fired)}; ended after healing: ${seconds(healedAt, ended) || 'see below'}`;
    });
  }

  return {
    async isQuiet() {
      const deadline = performance.now() + 60_000;
      let quietSince = performance.now();
      while (performance.now() - quietSince < 5_000) {
        const seen = await firing();
        if (seen.length > 0) quietSince = performance.now();
        if (performance.now() > deadline) throw new Error(`${seen.join(', ')}`);
        await delay(500);
      }
      return `for 5 s`;
    },
    fire,
    async haveEnded() {
      const waiting = [...began].filter(([name]) => bySlowBurn.has(name));
      await Promise.all(
        waiting.map(async ([name, since]) => await webhook.next(name, 'resolved', since, longestLookBackMs)),
      );
      // an alert of several services has ended only with the last one
      const deadline = performance.now() + usualPatienceMs;
      let left = await firing();
      while (left.length > 0 && performance.now() < deadline) {
        await delay(500);
        left = await firing();
      }
      if (left.length > 0) throw new Error(`${left.join(', ')} still fire`);
      return waiting.map(([name]) => name).join(', ');
    },
  };
}

/** A page goes to the receiver of pages, and each notification links to its heading. */
function checkNotification({ receiver, labels, annotations }: Notification): void {
  const alert = alerts.find(({ name }) => name === labels['alertname']);
  if (alert === undefined) throw new Error(`an unknown alert arrived: ${labels['alertname']}`);
  if (receiver !== alert.severity) throw new Error(`${alert.name} went to the receiver ${receiver}`);
  const link = annotations['runbook_url'] ?? '';
  if (!/^http:\/\/localhost:\d+\//.test(link) || !link.endsWith(`/${runbookOf(alert)}`)) {
    throw new Error(`${alert.name} links to ${link}`);
  }
}
