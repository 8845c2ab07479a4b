import { settingsOf, type Settings, type Times } from '../src/settings.ts';

/** Settings with a lease of a few seconds: long enough for a busy machine, short enough for a test. */
export function shortSettings(
  url: string,
  { concurrency = 1, ...times }: Partial<Times> & { concurrency?: number } = {},
): Settings {
  const settings = settingsOf({ url, auth: () => 'token', queues: ['reports'], concurrency });
  return {
    ...settings,
    times: {
      ...{ leaseMs: 2_400, heartbeatMs: 600, marginMs: 500, waitMs: 400, requestMs: 800, progressMs: 20 },
      ...{ heartbeatPauseMs: 50, pauses: { firstMs: 10, longestMs: 50 }, maxRunMs: 60_000, graceMs: 10_000 },
      ...{ abortMs: 300, flushMs: 1_000 },
      ...times,
    },
  };
}
