import type { z } from 'zod';
import type { Outcome } from './outcome.ts';
import { typeMatcher } from './type-pattern.ts';

export type HandlerContext = {
  messageId: string;
  /** The type of the message, which matters if the handler's type is a pattern. */
  type: string;
  aggregateId: string | undefined;
  /** The epoch of the database whose change the message announces; 1 for a message without one. */
  sourceEpoch: number;
  /** 1 for the first attempt. */
  attempt: number;
  /** Aborted when the handler times out, and when the process stops. */
  signal: AbortSignal;
};

/**
 * The order that is kept within an aggregate: none: no order, so messages of one aggregate may be handled concurrently; through_retry: a message
 * waits while an earlier one is being retried, but not for a dead letter; through_dead_letters: a message also waits for an earlier dead letter,
 * until that is replayed or dropped.
 */
export type Order = 'none' | 'through_retry' | 'through_dead_letters';

export type Handler = {
  /** A routing key, a binding pattern (`*` matches one word, `#` any number of words), or a list of these. */
  type: string | readonly string[];
  /**
   * Identifies the handler in the deduplication records of its messages. After a rename, the handler no longer recognises messages that it has handled.
   * Default: `type`, if that is a single type.
   */
  name?: string;
  schema: z.ZodType;
  order: Order;
  /**
   * Decides the outcome of a message, outside any transaction, so that it may make network calls. It may run more than once for a message. If it throws,
   * the message is retried.
   */
  handle(event: unknown, context: HandlerContext): Promise<Outcome>;
};

/** Defines a handler whose `handle` receives the payload as parsed by the schema. */
export function defineHandler<S extends z.ZodType>(
  handler: Omit<Handler, 'schema' | 'handle'> & {
    schema: S;
    handle(event: z.output<S>, context: HandlerContext): Promise<Outcome>;
  },
): Handler {
  // the inbox passes only events that this schema has parsed
  return { ...handler, handle: (event, context) => handler.handle(event as z.output<S>, context) };
}

export type NamedHandler = Handler & { name: string };

export type Handlers = {
  /** The handlers of messages of this type. Each one completes the message independently. */
  of(type: string): readonly NamedHandler[];
  named(name: string): NamedHandler | undefined;
  names: readonly string[];
};

/** @throws if two handlers have the same name, or one has none. */
export function indexHandlers(handlers: readonly Handler[]): Handlers {
  const named = new Map<string, NamedHandler>();
  for (const handler of handlers) {
    const name = nameOf(handler);
    if (named.has(name)) throw new Error(`two handlers are named ${name}: rename one of them`);
    named.set(name, { ...handler, name });
  }
  const candidates = [...named.values()].map((handler) => ({ handler, matches: typeMatcher([handler.type].flat()) }));
  const byType = new Map<string, readonly NamedHandler[]>();
  return {
    of(type) {
      let found = byType.get(type);
      if (found === undefined) {
        found = candidates.filter(({ matches }) => matches(type)).map(({ handler }) => handler);
        // there are few types, but arbitrary types published under a pattern must not fill up the memory
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
  throw new Error(`the handler of ${type.join(', ')} has no name: give it a name that does not depend on its types`);
}
