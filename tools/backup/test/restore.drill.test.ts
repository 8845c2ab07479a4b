import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { environment } from './environment.ts';
import { runDrill } from '../drill.ts';
import type { ServiceName } from '../scenarios.ts';

/** Starts a suite, loses a database and restores it, on a machine that may be busy. */
const timeoutMs = 900_000;

describe('A point-in-time restore of the database of one service, under load', function () {
  this.timeout(timeoutMs);
  const { dir, seed } = environment();

  for (const service of ['auth', 'tasks', 'notifications'] as const satisfies readonly ServiceName[]) {
    it(`keeps what was acknowledged before the restored time, and ${service} is consistent with the others within ten minutes`, async () => {
      const own = join(dir, `restore-${service}`);
      mkdirSync(own, { recursive: true, mode: 0o711 });
      await runDrill({ service, seed, dir: own, say: (text) => console.log(`      ${text}`) });
    });
  }
});
