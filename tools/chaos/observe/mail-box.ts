import { setTimeout as delay } from 'node:timers/promises';
import type { Mail } from '../evidence.ts';

/** Empties the mail catcher continuously, because the catcher stores only a limited number of mails. */
export type MailBox = {
  /** Fetches the mails currently there. */
  collect(): Promise<void>;
  stop(): Promise<void>;
};

/** The fields of a mail in maildev's API that this module uses. */
type CaughtMail = { id: string; headers: Record<string, string>; envelope?: { to?: { address: string }[] } };

const everyMs = 1_000;

export function openMailBox(url: string, onMail: (mail: Mail) => void): MailBox {
  const taken = new Set<string>();
  let stopped = false;

  async function collect(): Promise<void> {
    const response = await fetch(`${url}/api/email`, { signal: AbortSignal.timeout(20_000) });
    for (const { id, headers, envelope } of (await response.json()) as CaughtMail[]) {
      if (!taken.has(id)) {
        taken.add(id);
        const messageId = headers['message-id'] ?? headers['Message-ID'] ?? '';
        onMail({ id: messageId.replace(/^<|@.*$/g, ''), to: envelope?.to?.[0]?.address ?? '' });
      }
      await fetch(`${url}/api/email/${id}`, { method: 'DELETE', signal: AbortSignal.timeout(5_000) });
    }
  }

  let collecting: Promise<void> = Promise.resolve();
  const collectInTurn = () => (collecting = collecting.catch(() => undefined).then(collect));
  const ended = (async () => {
    while (!stopped) {
      await collectInTurn().catch(() => undefined);
      await delay(everyMs);
    }
  })();
  return {
    collect: collectInTurn,
    async stop() {
      stopped = true;
      await ended;
    },
  };
}
