// node /app/infra/container/health.ts, in the container of a service: exit code 0 when the service is ready. A 503 gives exit code 1: the container
// gets no requests. It is not restarted, because readiness includes the database and the broker.
const url = `http://127.0.0.1:${process.env['PORT'] ?? '3000'}/ready`;
// shorter than the timeout of the check in docker-compose.yml
const response = await fetch(url, { signal: AbortSignal.timeout(4_000) }).catch(() => undefined);
process.exitCode = response?.ok === true ? 0 : 1;
