import type { Writable } from 'node:stream';

/** Writes log lines to a stream, in order. What happens to a slow or closed stream is up to the stream. */
export type LogOutput = {
  /** Writes a line now, after all lines before it. */
  write(line: string): void;
  /** Writes a line within `batchMs`, together with the lines that follow it. */
  batch(line: string): void;
  /** Resolves once the stream has taken all lines so far, or has failed. */
  flushed(): Promise<void>;
};

/** How long a line may wait, in milliseconds. It is what a killed process loses; more than a few lines per write save little. */
const batchMs = 10;
/** A batch of this size, in characters, is written at once: it is the capacity of a pipe on Linux, in ASCII. */
const largestBatch = 64 * 1024;

/** Write the batches that wait: at the end of the process by `process.exit`, by an uncaught error, or with nothing left to do. */
const waiting = new Set<() => void>();
let isExiting = false;
let flushesAtExit = false;

function flushAtExit(): void {
  if (flushesAtExit) return;
  flushesAtExit = true;
  process.on('exit', () => {
    isExiting = true;
    for (const flush of waiting) flush();
  });
}

export function createLogOutput(stream: Writable): LogOutput {
  let batched = '';
  let since = 0;
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    if (batched === '') return;
    clearTimeout(timer);
    waiting.delete(flush);
    const text = batched;
    // first, because the stream may log
    batched = '';
    stream.write(text);
  }

  return {
    write(line) {
      batched += `${line}\n`;
      flush();
    },
    batch(line) {
      if (batched === '') {
        since = performance.now();
        // the process need not stay for it: the end of the process writes the batch
        timer = setTimeout(flush, batchMs).unref();
        flushAtExit();
        waiting.add(flush);
      }
      batched += `${line}\n`;
      // a busy event loop runs the timer late, and an exiting process never
      if (isExiting || batched.length >= largestBatch || performance.now() - since >= batchMs) flush();
    },
    async flushed() {
      flush();
      await new Promise<void>((resolve) => stream.write('', () => resolve()));
    },
  };
}
