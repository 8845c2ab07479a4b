import { Gauge } from 'prom-client';
import type { Telemetry } from './telemetry.ts';

/**
 * Registers a gauge that is measured on each scrape. A measurement that fails, for example because the database is unavailable, is logged with the
 * text of `failure`, and the gauge keeps its last values: the other metrics of the scrape must be reported in any case.
 */
export function measuredGauge<Label extends string = never>(
  { metrics, logger }: Pick<Telemetry, 'metrics' | 'logger'>,
  gauge: {
    name: string;
    help: string;
    labelNames?: readonly Label[];
    measure: (gauge: Gauge<Label>) => Promise<void>;
    failure: string;
  },
): void {
  const { name, help, labelNames = [], measure, failure } = gauge;
  new Gauge<Label>({
    name,
    help,
    labelNames,
    registers: [metrics],
    async collect() {
      try {
        await measure(this);
      } catch (error) {
        logger.warn(failure, { error });
      }
    },
  });
}
