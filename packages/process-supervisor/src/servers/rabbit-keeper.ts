import { rabbitDefinitions, type RabbitTopology } from './rabbit-definitions.ts';
import type { RabbitManagement } from './rabbit-management.ts';

/** A service without its exchange retries within 5 s at most; a check costs the broker about a millisecond. */
const lookEveryMs = 2_000;

/**
 * Acts for the operator when the vhost, an exchange or a policy of a topology is missing: imports the definitions again. The services cannot, since
 * their logins may create only their own queues.
 */
export function keepTopology(management: RabbitManagement, topology: RabbitTopology): { stop(): Promise<void> } {
  const definitions = rabbitDefinitions(topology);
  const vhost = encodeURIComponent(topology.vhost);
  let looking = Promise.resolve();

  async function look(): Promise<void> {
    try {
      const vhosts = await management.call<Named[]>('GET', '/vhosts');
      const isWhole =
        vhosts.some(({ name }) => name === topology.vhost) &&
        includes(await management.call<Named[]>('GET', `/exchanges/${vhost}`), definitions.exchanges) &&
        includes(await management.call<Named[]>('GET', `/policies/${vhost}`), definitions.policies);
      if (isWhole) return;
      await management.call('POST', '/definitions', definitions);
    } catch {
      // the broker is down or stopping: the next check will handle it
    }
  }

  const timer = setInterval(() => void (looking = looking.then(look)), lookEveryMs);
  return {
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}

type Named = { name: string };

function includes(found: readonly Named[], needed: readonly Named[]): boolean {
  return needed.every(({ name }) => found.some((one) => one.name === name));
}
