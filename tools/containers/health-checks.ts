import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from './engine.ts';

/** The interval of docker-compose.yml is up to 10 s. */
const pauseMs = 10_000;
/**
 * A starting container is checked more often, because others wait for it, but only in its start_period (20 s), in which failures do not count. After
 * that, `retries` failures make it unhealthy, which on a busy machine has to take as long as with Docker.
 */
const startingPauseMs = 1_500;
const startPeriodMs = 20_000;

/**
 * Runs the health checks of all containers until `ending`. Docker's daemon does this itself. podman relies on systemd timers, which many machines and
 * most CI containers lack.
 */
export async function runHealthChecks(engine: Engine, ending: AbortSignal): Promise<void> {
  const next = new Map<string, number>();
  const running = new Map<string, Promise<void>>();
  while (!ending.aborted) {
    const listed = await engine.tryPodman(['ps', '--format', '{{.ID}} {{.StartedAt}}']);
    for (const line of listed.stdout
      .trim()
      .split('\n')
      .filter((text) => text !== '')) {
      const [id = '', startedAt] = line.split(' ');
      if (running.has(id) || performance.now() < (next.get(id) ?? 0)) continue;
      const check = async () => {
        const { code } = await engine.tryPodman(['healthcheck', 'run', id]);
        // 125: the container has no health check
        const isStarting = code !== 0 && code !== 125 && Date.now() < Number(startedAt) * 1000 + startPeriodMs;
        next.set(id, performance.now() + (isStarting ? startingPauseMs : pauseMs));
        running.delete(id);
      };
      running.set(id, check());
    }
    await delay(500, undefined, { signal: ending }).catch(() => undefined);
  }
  await Promise.all(running.values());
}
