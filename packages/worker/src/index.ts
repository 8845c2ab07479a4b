export { JobAborted, JobError, type AbortReason, type JobErrorOptions } from './errors.ts';
export type { WorkerEvent } from './events.ts';
export type { ClientCredentials, Handler, Job, JobContext, Worker, WorkerOptions } from './options.ts';
export { createWorker } from './worker.ts';
