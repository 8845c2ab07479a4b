import { PublishError, type OutgoingMessage, type Publisher } from '@taskwire/rabbit';
import { simulateWork } from '@taskwire/testing';

export type Answer = 'confirmed' | 'returned' | 'nacked' | 'unknown' | 'unknown but taken' | 'invalid';

/** A publisher with scripted results, which records every call. */
export type FakePublisher = Publisher & {
  /** The messages that a consumer would have received, in order, including duplicates. */
  taken: OutgoingMessage[];
  asked: OutgoingMessage[];
};

export function fakePublisher(
  answer: (message: OutgoingMessage, attempt: number) => Answer | Promise<Answer>,
  delayMs: () => number = () => 0,
): FakePublisher {
  const attempts = new Map<string, number>();
  const taken: OutgoingMessage[] = [];
  const asked: OutgoingMessage[] = [];
  let inFlight = 0;

  async function publish(message: OutgoingMessage): Promise<'confirmed' | 'returned'> {
    const attempt = (attempts.get(message.messageId) ?? 0) + 1;
    attempts.set(message.messageId, attempt);
    asked.push(message);
    inFlight += 1;
    try {
      const outcome = await answer(message, attempt);
      // the broker stores messages in the order in which they were sent; only its confirms may be late
      if (outcome === 'confirmed' || outcome === 'unknown but taken') taken.push(message);
      await simulateWork(delayMs());
      if (outcome === 'confirmed' || outcome === 'returned') return outcome;
      throw new PublishError(outcome === 'unknown but taken' ? 'unknown' : outcome, outcome);
    } finally {
      inFlight -= 1;
    }
  }

  return { publish, inFlight: () => inFlight, taken, asked };
}
