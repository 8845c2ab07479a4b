export { raceAbort, untilAborted } from './abort.ts';
export { backOffMs, type BackOff } from './back-off.ts';
export { createBatches } from './batches.ts';
export { createSteadiness, lease, startHeartbeat, type Heartbeat, type Steadiness } from './lease.ts';
export { createLoop, type Loop, type LoopOptions, type Progress } from './loop.ts';
export { runProcess, type Component, type ProcessOptions } from './process.ts';
export { createWorkerPool, type WorkerPool, type WorkerPoolOptions } from './worker-pool.ts';
