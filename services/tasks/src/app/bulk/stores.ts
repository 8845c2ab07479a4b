import type { Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import type { MentionedUsers } from '../comments/ports.ts';
import type { Document, IdempotentRequest, TaskStore, Users, WriteResult } from '../ports.ts';

/**
 * The store for one operation of a bulk request. The result commits with the change, under the operation's own key, so the operation is carried out
 * once. Without a key, no result is stored.
 */
export function storeOfOperation(tasks: TaskStore, request: IdempotentRequest | undefined): TaskStore {
  return {
    ...tasks,
    once: async (_, work) => await tasks.once(request, work),
    createTask: async (task) => await tasks.createTask(task, request),
    async transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      let result: T | undefined;
      const { replayed, ...stored } = await tasks.once<z.ZodType>(request, async (tx) => {
        result = await work(tx);
        return isDocument(result) ? result : nothing;
      });
      // another process may have stored the result at the same moment; the same use case made it, so it has the same type
      return (replayed ? stored : result) as T;
    },
  };
}

/** The result of an operation whose response has no body. */
const nothing = { text: '' } as unknown as Document<z.ZodType>;

function isDocument(result: unknown): result is Document<z.ZodType> {
  return typeof result === 'object' && result !== null && 'text' in result;
}

/** The store for operations that all run in one transaction. */
export function storeWithin(tasks: TaskStore, tx: Tx): TaskStore {
  return {
    ...tasks,
    transaction: async (work) => await work(tx),
    once: async <S extends z.ZodType>(_: unknown, work: (tx: Tx) => Promise<Document<S>>): Promise<WriteResult<S>> => ({
      ...(await work(tx)),
      replayed: false,
    }),
    async createTask(task) {
      const created = await tasks.createTaskWithin(tx, task);
      return created === undefined ? 'ineligible' : { ...created, replayed: false };
    },
  };
}

/** Rolls back a transaction, because a user must be looked up in Auth first: no transaction waits for another service. */
export class UserNeeded extends Error {
  /** Looks the user up. */
  readonly lookUp: () => Promise<void>;
  constructor(userId: string, lookUp: () => Promise<void>) {
    super(`user ${userId} has to be looked up`);
    this.lookUp = lookUp;
  }
}

type AllUsers = Users & MentionedUsers;

/** Answers only what has already been looked up about users. @throws UserNeeded for anything else. */
export function lookedUp(users: AllUsers): AllUsers {
  return { eligibilityOf: answered(users.eligibilityOf), exists: answered(users.exists) };
}

function answered<A>(ask: (userId: string) => Promise<A>): (userId: string) => Promise<A> {
  const answers = new Map<string, { answer: A }>();
  return async (userId) => {
    const known = answers.get(userId);
    if (known !== undefined) return known.answer;
    throw new UserNeeded(userId, async () => void answers.set(userId, { answer: await ask(userId) }));
  };
}
