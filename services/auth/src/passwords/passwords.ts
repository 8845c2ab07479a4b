import type { Registry } from 'prom-client';
import type { HashTurn, Passwords } from '../app/ports/passwords.ts';
import { hashPassword, unmatchableHash, verifyPassword, type Cost } from './argon2id.ts';
import { createGate, watchGates } from './gate.ts';
import { weaknessOf } from './strength.ts';

export type PasswordsOptions = {
  cost: Cost;
  /** The maximum number of concurrent hashes. Each occupies one of libuv's four threads and `cost.memory`. */
  concurrency: number;
  /** The maximum number of waiting hashes; further ones are refused. */
  queue: number;
  metrics: Registry;
};

/** Hashes passwords with argon2id, off the event loop, with bounded concurrency and in a fair order. */
export function createPasswords({ cost, concurrency, queue, metrics }: PasswordsOptions): Passwords {
  const hashes = createGate({ concurrency, queue });
  // for each running hash, one more request is admitted, which may use the database in the meantime; the other requests of a flood wait
  const admitted = Math.min(2 * concurrency, concurrency + queue);
  const requests = createGate({ concurrency: admitted, queue: concurrency + queue - admitted });
  const inTurn = async <T>(turn: HashTurn, work: () => Promise<T>): Promise<T> => await requests.run(work, turn);
  const unmatchable = unmatchableHash(cost);

  const help = 'Password hashes by state: running, or waiting for their turn.';
  watchGates(metrics, { name: 'password_hashes', help }, { running: hashes, waiting: [requests, hashes] });

  return {
    weaknessOf,
    inTurn,
    hash: async (password, turn) =>
      await inTurn(turn, async () => await hashes.run(async () => await hashPassword(password, cost))),
    verify: async (password, hash = unmatchable) =>
      await hashes.run(async () => await verifyPassword(password, hash, cost)),
  };
}
