import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { inheritedEnv } from '@taskwire/process-supervisor';

/** Percentiles in milliseconds; a response that was due while another one was late counts as late too. */
export type ProbeResult = { p50: number; p99: number };

/** Sends requests at a steady rate from a separate process, so that work in this process does not distort response times. */
export function startProbe(request: { url: string; token: string; perSecond: number }): {
  /** @throws when any request failed. */
  stop(): Promise<ProbeResult>;
} {
  const script = fileURLToPath(new URL('probe-process.ts', import.meta.url));
  const child = fork(script, [request.url, request.token, String(request.perSecond)], { env: inheritedEnv() });
  return {
    async stop() {
      child.send('stop');
      const [message] = (await once(child, 'message')) as [ProbeResult | { failed: string }];
      child.kill();
      if ('failed' in message) throw new Error(message.failed);
      return message;
    },
  };
}
