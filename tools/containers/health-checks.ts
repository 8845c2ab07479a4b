import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from './engine.ts';

/** The interval of docker-compose.yml is up to 10 s. A starting container is checked more often, because others wait for it. */
const healthyPauseMs = 10_000;
const startingPauseMs = 1_500;

/**
 * Runs the health checks of all containers until `ending`. Docker's daemon does this itself. podman relies on systemd timers, which many machines and
 * most CI containers lack.
 */
export async function runHealthChecks(engine: Engine, ending: AbortSignal): Promise<void> {
  const next = new Map<string, number>();
  const running = new Map<string, Promise<void>>();
  while (!ending.aborted) {
    const listed = await engine.tryPodman(['ps', '--format', '{{.ID}} {{.Names}}']);
    for (const line of listed.stdout
      .trim()
      .split('\n')
      .filter((text) => text !== '')) {
      const [id = ''] = line.split(' ');
      if (running.has(id) || performance.now() < (next.get(id) ?? 0)) continue;
      const check = async () => {
        const { code } = await engine.tryPodman(['healthcheck', 'run', id]);
        // 125: the container has no health check
        next.set(id, performance.now() + (code === 0 || code === 125 ? healthyPauseMs : startingPauseMs));
        running.delete(id);
      };
      running.set(id, check());
    }
    await delay(500, undefined, { signal: ending }).catch(() => undefined);
  }
  await Promise.all(running.values());
}
