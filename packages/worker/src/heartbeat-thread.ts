// The thread that sends heartbeats: a handler that keeps its own thread busy does not lose its lease.
import { parentPort, workerData } from 'node:worker_threads';
import { Taskwire } from '@taskwire/client';
import { systemClock as clock } from './clock.ts';
import { HandedTokens } from './handed-tokens.ts';
import type { FromThread, ThreadData, ToThread } from './heartbeats.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { credentialsOf } from './tokens.ts';

const { url, credentials, times } = workerData as ThreadData;
const post = (message: FromThread) => parentPort?.postMessage(message);
const handed = new HandedTokens(() => post({ kind: 'token_rejected' }));

const { jobs } = new Taskwire({
  baseUrl: url,
  auth: credentials === undefined ? handed : credentialsOf(credentials),
  timeoutMs: times.requestMs,
  maxRetries: 0,
});
const keeper = new LeaseKeeper({
  // the signal also limits the wait for a token
  send: async (leases) => (await jobs.heartbeat({ leases }, { signal: AbortSignal.timeout(times.requestMs * 2) })).data,
  notify: post,
  clock,
  times,
});

parentPort?.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'hold':
      keeper.hold(message.leases);
      break;
    case 'progress':
      keeper.progress(message.token, message.json);
      break;
    case 'drop':
      keeper.drop(message.token);
      break;
    case 'token':
      handed.receive(message.token);
      break;
  }
});
post({ kind: 'ready' });
