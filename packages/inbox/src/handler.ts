import type { z } from 'zod';
import type { Outcome } from './outcome.ts';
import { typeMatcher } from './type-pattern.ts';

export type HandlerContext = {
  messageId: string;
  /** The message's type, where the handler's is a pattern. */
  type: string;
  aggregateId: string | undefined;
  /** 1 for the first. */
  attempt: number;
  /** Aborted when the handler takes too long, and when the process stops. */
  signal: AbortSignal;
};

/**
 * What is to be kept in order within an aggregate:
 * none — nothing, messages of one aggregate may be handled side by side;
 * through_retry — a message waits while an earlier one is tried again, but not for one that is dead;
 * through_dead_letters — it also waits for a dead one, until that is replayed or dropped.
 */
export type Order = 'none' | 'through_retry' | 'through_dead_letters';

export type Handler = {
  /** Routing key, or a pattern as in a binding: `*` is one word, `#` any number of them. Or a list of these. */
  type: string | readonly string[];
  /**
   * Told apart from other handlers of the same messages, for as long as messages are remembered: renaming it forgets them. Default: `type`,
   * where that is one.
   */
  name?: string;
  schema: z.ZodType;
  order: Order;
  /**
   * Decides what becomes of a message, outside of any transaction: network calls happen here. It may run more than once for a message, and an
   * error that it throws is a retry.
   */
  handle(event: unknown, context: HandlerContext): Promise<Outcome>;
};

/** A handler whose `handle` gets what its schema makes of the payload. */
export function defineHandler<S extends z.ZodType>(
  handler: Omit<Handler, 'schema' | 'handle'> & {
    schema: S;
    handle(event: z.output<S>, context: HandlerContext): Promise<Outcome>;
  },
): Handler {
  // the inbox passes only what this schema has parsed
  return { ...handler, handle: (event, context) => handler.handle(event as z.output<S>, context) };
}

export type NamedHandler = Handler & { name: string };

export type Handlers = {
  /** All that want messages of this type; each settles them for itself. */
  of(type: string): readonly NamedHandler[];
  named(name: string): NamedHandler | undefined;
  names: readonly string[];
};

/** @throws when two have the same name, or one has none. */
export function indexHandlers(handlers: readonly Handler[]): Handlers {
  const named = new Map<string, NamedHandler>();
  for (const handler of handlers) {
    const name = nameOf(handler);
    if (named.has(name)) throw new Error(`two handlers are named ${name}: give one of them a name of its own`);
    named.set(name, { ...handler, name });
  }
  const candidates = [...named.values()].map((handler) => ({ handler, matches: typeMatcher([handler.type].flat()) }));
  const byType = new Map<string, readonly NamedHandler[]>();
  return {
    of(type) {
      let found = byType.get(type);
      if (found === undefined) {
        found = candidates.filter(({ matches }) => matches(type)).map(({ handler }) => handler);
        // there are few types; what strangers send under a pattern must not fill the memory
        if (byType.size < 1_000) byType.set(type, found);
      }
      return found;
    },
    named: (name) => named.get(name),
    names: [...named.keys()],
  };
}

function nameOf({ name, type }: Handler): string {
  if (name !== undefined) return name;
  if (typeof type === 'string') return type;
  throw new Error(`the handler of ${type.join(', ')} has no name: give it one that stays when its types change`);
}
