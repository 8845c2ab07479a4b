import { rabbitDefinitions, type RabbitTopology } from './rabbit-definitions.ts';
import type { RabbitManagement } from './rabbit-management.ts';

/** A service that misses an exchange tries again within 5 s at most; looking costs the broker about a millisecond. */
const lookEveryMs = 2_000;

/**
 * Does what an operator has to when the vhost, an exchange or a policy of a topology is gone: imports the definitions again. The services cannot, since
 * their logins may make nothing but their own queues.
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
      // the broker is down or going: the next look is for that
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
