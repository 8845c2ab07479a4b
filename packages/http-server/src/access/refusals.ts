import type { Route } from '@taskwire/contracts';
import { errorText, Problem, type ProblemCode } from '@taskwire/errors';
import type { Telemetry } from '@taskwire/telemetry';
import { Counter } from 'prom-client';
import type { RequestIds } from '../request.ts';
import type { Actor } from './actor.ts';

/** An operation that an authenticated caller may not perform: the response was 403. */
export type Refusal = RequestIds & {
  route: Route;
  actor: Actor;
  /** The path parameters, as sent. */
  params: Readonly<Record<string, string | string[]>>;
  code: ProblemCode;
  ip: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
};

/** Records a refusal in addition to the logs. */
export type OnRefusal = (refusal: Refusal) => Promise<void>;

/** Counts and logs each refusal, and passes it to `onRefusal`. If that fails, the caller still gets the 403. */
export function observeRefusals(telemetry: Telemetry, onRefusal: OnRefusal | undefined) {
  const { logger, metrics } = telemetry;
  const refused = new Counter({
    name: 'http_refusals_total',
    help: 'Operations refused to authenticated callers (403), by operation and problem code.',
    labelNames: ['operation', 'code'],
    registers: [metrics],
  });
  return async (error: unknown, attempt: Omit<Refusal, 'code'>): Promise<void> => {
    if (!(error instanceof Problem) || error.status !== 403) return;
    const { code } = error;
    const operation = attempt.route.operationId;
    refused.inc({ operation, code });
    logger.warn('operation refused', { operation, code });
    try {
      await onRefusal?.({ ...attempt, code });
    } catch (failure) {
      logger.error('could not record a refusal', { operation, code, error: errorText(failure) });
    }
  };
}
