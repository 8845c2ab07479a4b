import { errorText } from '@taskwire/errors';
import { createLoop, raceAbort, type Loop } from '@taskwire/lifecycle';
import type { Telemetry } from '@taskwire/telemetry';
import type { Connection } from './connection.ts';
import type { Declare } from './declare.ts';
import type { Binding, Destination, Management } from './management.ts';
import { rabbitMetrics } from './metrics.ts';
import { missingPolicyKeys } from './policies.ts';
import type { TopologyPlan } from './topology-plan.ts';

export type TopologyCheck = Pick<Loop, 'start' | 'stop' | 'wake'> & {
  /** Why the last declaration of the topology failed; undefined if it succeeded. */
  fault(): string | undefined;
  /** Describes reduced safety, such as missing policies; undefined if there is none. */
  warning(): string | undefined;
};

export type TopologyCheckOptions = {
  /** Resolves to an open connection on which to declare; undefined while the process uses no connection. */
  connection(signal: AbortSignal): Promise<Connection | undefined>;
  declare: Declare;
  plan: Promise<TopologyPlan>;
  /** Whether this process may declare now; it may not while its queues are about to be deleted. */
  mayDeclare: () => boolean;
  /** Without it, neither policies nor lost bindings can be checked; bindings are still declared again. */
  management: Management | undefined;
  intervalMs: number;
  telemetry: Telemetry;
};

/**
 * Declares the topology periodically while the connection is open, because a consumer is not notified when a binding or an exchange is deleted: it
 * would wait forever for messages that are no longer routed to it. With a management API, it also reports missing bindings, and missing keys in the
 * policies of the queues.
 */
export function createTopologyCheck(options: TopologyCheckOptions): TopologyCheck {
  const { declare, management, telemetry } = options;
  const { logger } = telemetry;
  const metrics = rabbitMetrics(telemetry.metrics);
  // the series exist before the first loss, because the increase of a series that appears with a loss would miss it
  options.plan
    .then((plan) => {
      for (const { kind, name } of plan)
        for (const lost of kind === 'queue' ? ['queue', 'binding'] : ['binding'])
          metrics.topologyLost.inc({ kind: lost, queue: name }, 0);
    })
    // the check itself reports a plan that cannot be made
    .catch(() => undefined);
  const policyGaps = new Map<string, string>();
  let fault: string | undefined;
  let queryFault: string | undefined;
  /** When all bindings were last known to exist. Until this is set, missing bindings may just be new in this version. */
  let completeAt: Date | undefined;

  async function checkPolicies(plan: TopologyPlan, api: Management, signal: AbortSignal): Promise<void> {
    const policies = await api.policies(signal);
    for (const queue of plan.filter(({ kind }) => kind === 'queue')) {
      const missing = missingPolicyKeys(queue, policies);
      metrics.missingPolicyKeys.set({ queue: queue.name }, missing.length);
      const gap = missing.join(', ');
      const before = policyGaps.get(queue.name) ?? '';
      policyGaps.set(queue.name, gap);
      if (gap === before) continue;
      if (gap === '') logger.info(`the policy of the queue ${queue.name} is complete`, { queue: queue.name });
      else {
        const remedy = 'apply the definitions of the broker again (infra/rabbitmq/README.md)';
        logger.error(`the policy of the queue ${queue.name} lacks ${gap}; ${remedy}`, { queue: queue.name });
      }
    }
  }

  async function missingBindings(plan: TopologyPlan, api: Management, signal: AbortSignal): Promise<Missing[]> {
    const all: Missing[] = [];
    for (const { kind, name, bindings } of plan) {
      const found = await api.bindings({ kind, name }, signal);
      const keys = bindings
        .filter((one) => !found.some((other) => isSame(one, other)))
        .map(({ exchange, routingKey, partition }) => `${exchange} ${partition ?? routingKey}`);
      if (keys.length > 0) all.push({ kind, queue: name, keys });
    }
    return all;
  }

  /** Returns the bindings that are missing before the topology is declared again; undefined if they cannot be queried. */
  async function queryBroker(signal: AbortSignal): Promise<Missing[] | undefined> {
    const plan = await options.plan;
    if (plan.length === 0) return undefined;
    if (management === undefined) {
      if (queryFault === undefined) logger.warn(`${unseen}: RABBITMQ_MANAGEMENT_URL is not set`);
      queryFault = 'not set';
      return undefined;
    }
    try {
      await checkPolicies(plan, management, signal);
      const missing = await missingBindings(plan, management, signal);
      if (queryFault !== undefined) logger.info("RabbitMQ's management API is available again");
      queryFault = undefined;
      return missing;
    } catch (error) {
      if (signal.aborted) throw error;
      const reason = errorText(error);
      if (reason !== queryFault) logger.warn(unseen, { error: reason });
      queryFault = reason;
      policyGaps.clear();
      for (const { kind, name } of plan)
        if (kind === 'queue') metrics.missingPolicyKeys.set({ queue: name }, Number.NaN);
      return undefined;
    }
  }

  function report(missing: readonly Missing[]): void {
    for (const { kind, queue, keys } of missing) {
      metrics.topologyLost.inc({ kind: 'binding', queue }, keys.length);
      logger.error(
        `bindings of the ${kind} ${queue} were missing and have been declared again; messages published until then were lost`,
        {
          queue,
          bindings: keys,
          complete_until: completeAt?.toISOString(),
        },
      );
    }
  }

  const loop = createLoop({
    name: 'check of the queues and bindings',
    logger,
    intervalMs: options.intervalMs,
    maxBackOffMs: 5_000,
    async tick(signal) {
      const connection = await options.connection(signal);
      // the broker reads nothing from a connection that it has blocked, and the missing response would end the connection
      if (connection === undefined || connection.blocked() || !options.mayDeclare()) return 'idle';
      const missing = await queryBroker(signal);
      const lookedAt = new Date();
      try {
        // raced with the signal, because a hanging broker must not delay a stop; an existing queue is left alone, because it may be deleted at this
        // moment (see `cancellationMs`)
        await raceAbort(declare(connection, 'missing'), signal);
      } catch (error) {
        // the owner of the connection reports and replaces it when it is lost
        if (signal.aborted || connection.ended.aborted) return 'idle';
        fault = errorText(error);
        metrics.topologyOk.set(0);
        throw error;
      }
      fault = undefined;
      metrics.topologyOk.set(1);
      if (missing === undefined) return 'idle';
      if (completeAt !== undefined) report(missing);
      completeAt = lookedAt;
      return 'idle';
    },
  });

  return {
    start: loop.start,
    stop: loop.stop,
    wake: loop.wake,
    fault: () => fault,
    warning() {
      const gaps = [...policyGaps]
        .filter(([, gap]) => gap !== '')
        .map(([queue, gap]) => `the policy of ${queue} lacks ${gap}`);
      return gaps.length === 0 ? undefined : gaps.join('; ');
    },
  };
}

const unseen = 'policies and lost bindings of the queues cannot be seen';

/** The bindings that a queue or an exchange lacks, as `exchange key`. */
type Missing = { kind: Destination['kind']; queue: string; keys: string[] };

function isSame(one: Binding, other: Binding): boolean {
  return one.exchange === other.exchange && one.routingKey === other.routingKey && one.partition === other.partition;
}
