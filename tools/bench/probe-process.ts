import autocannon from 'autocannon';

/** See probe.ts, which starts this process and signals when to end. */
const [url, token, perSecond] = process.argv.slice(2);
if (url === undefined || token === undefined) throw new Error('usage: probe-process.ts <url> <token> <rate>');

const instance = autocannon(
  {
    url,
    headers: { authorization: `Bearer ${token}` },
    connections: 10,
    overallRate: Number(perSecond),
    // until the end is signalled
    duration: 3_600,
  },
  (_error, { errors, timeouts, non2xx, requests, latency }) => {
    const failed = errors + timeouts + non2xx;
    process.send?.(
      failed > 0
        ? { failed: `${failed} of ${requests.total} requests failed` }
        : { p50: latency.p50, p99: latency.p99 },
    );
  },
);
process.once('message', () => instance.stop?.());
process.once('disconnect', () => process.exit());
