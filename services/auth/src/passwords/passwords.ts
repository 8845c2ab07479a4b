import { Gauge, type Registry } from 'prom-client';
import type { Passwords } from '../app/ports.ts';
import { hashPassword, nobodysHash, verifyPassword, type Cost } from './argon2id.ts';
import { createGate } from './gate.ts';
import { weaknessOf } from './strength.ts';

export type PasswordsOptions = {
  cost: Cost;
  /** Hashes at once. Each takes a thread of libuv's four and `cost.memory`. */
  concurrency: number;
  /** Hashes that may wait; more are refused. */
  queue: number;
  metrics: Registry;
};

/** Argon2id, off the event loop, at a bounded pace. */
export function createPasswords({ cost, concurrency, queue, metrics }: PasswordsOptions): Passwords {
  const gate = createGate({ concurrency, queue });
  const nobodys = nobodysHash(cost);

  new Gauge({
    name: 'password_hashes',
    help: 'Password hashes by state: running, or waiting for their turn.',
    labelNames: ['state'],
    registers: [metrics],
    collect() {
      this.set({ state: 'running' }, gate.running());
      this.set({ state: 'waiting' }, gate.waiting());
    },
  });

  return {
    weaknessOf,
    hash: async (password) => await gate.run(async () => await hashPassword(password, cost)),
    verify: async (password, hash = nobodys) => await gate.run(async () => await verifyPassword(password, hash, cost)),
  };
}
