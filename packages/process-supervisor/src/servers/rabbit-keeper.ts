import { rabbitDefinitions, type RabbitTopology } from './rabbit-definitions.ts';
import type { RabbitManagement } from './rabbit-management.ts';

/** A service without its exchange retries at least every 5 s; a check costs the broker about a millisecond. */
const checkEveryMs = 2_000;

/**
 * Imports the definitions again, as the operator does, when the vhost, an exchange or a policy of a topology is missing. The services cannot do this,
 * since their logins may create only their own queues.
 */
export function keepTopology(management: RabbitManagement, topology: RabbitTopology): { stop(): Promise<void> } {
  const definitions = rabbitDefinitions(topology);
  const vhost = encodeURIComponent(topology.vhost);
  let checking = Promise.resolve();

  async function check(): Promise<void> {
    try {
      const vhosts = await management.call<Named[]>('GET', '/vhosts');
      const isComplete =
        vhosts.some(({ name }) => name === topology.vhost) &&
        includes(await management.call<Named[]>('GET', `/exchanges/${vhost}`), definitions.exchanges) &&
        includes(await management.call<Named[]>('GET', `/policies/${vhost}`), definitions.policies);
      if (isComplete) return;
      await management.call('POST', '/definitions', definitions);
    } catch {
      // the broker is down or stopping: the next check will handle it
    }
  }

  const timer = setInterval(() => void (checking = checking.then(check)), checkEveryMs);
  return {
    async stop() {
      clearInterval(timer);
      await checking;
    },
  };
}

type Named = { name: string };

function includes(found: readonly Named[], needed: readonly Named[]): boolean {
  return needed.every(({ name }) => found.some((one) => one.name === name));
}
