import type { IncomingMessage } from 'node:http';
import { Router, type Response } from 'express';
import { errorText } from '@taskwire/errors';
import { redact, type Telemetry } from '@taskwire/telemetry';

/**
 * Checks a dependency of the service; rejects with the reason while the dependency is unusable. A warning is reported without making the service
 * unready.
 */
export type ReadinessCheck = () => Promise<void> | Promise<{ warning: string } | undefined>;

const probePaths = new Set(['/health', '/ready', '/metrics']);

/** Whether a request is from a probe or from Prometheus, which send one every few seconds. */
export function isProbe({ url = '' }: IncomingMessage): boolean {
  return probePaths.has(url);
}

/** The time limit of one check, in milliseconds: probes run every few seconds and need a negative result in time. */
const checkTimeoutMs = 2_000;

/**
 * `/health`: the process responds. `/ready`: it can do its work. `/metrics`: Prometheus text. These paths are for operators, and the gateway does not
 * route them.
 */
export function operations(
  telemetry: Telemetry,
  checks: Readonly<Record<string, ReadinessCheck>>,
  isStopping: () => boolean,
): Router {
  const router = Router({ caseSensitive: true, strict: true });

  router.get('/health', (_request, response) => {
    sendJson(response, 200, { status: 'ok' });
  });

  router.get('/ready', async (_request, response) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await run(check)] as const),
    );
    const ready = !isStopping() && results.every(([, result]) => result.ok);
    const status = isStopping() ? 'stopping' : ready ? 'ready' : 'not ready';
    sendJson(response, ready ? 200 : 503, { status, checks: Object.fromEntries(results) });
  });

  router.get('/metrics', async (_request, response) => {
    const text = await telemetry.metrics.metrics();
    response.setHeader('Content-Type', telemetry.metrics.contentType);
    response.end(text);
  });

  return router;
}

async function run(check: ReadinessCheck): Promise<{ ok: boolean; detail?: unknown; warning?: string | undefined }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no result within ${checkTimeoutMs} ms`)), checkTimeoutMs);
  });
  try {
    const result = await Promise.race([check(), late]);
    return { ok: true, warning: result ? String(redact(result.warning)) : undefined };
  } catch (error) {
    return { ok: false, detail: redact(errorText(error)) };
  } finally {
    clearTimeout(timer);
  }
}

function sendJson(response: Response, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
