import type { Writable } from 'node:stream';

/** Writes log lines to a stream, in order. A slow or closed stream is handled by the stream itself. */
export type LogOutput = {
  /** Writes a line now, after all lines before it. */
  write(line: string): void;
  /** Writes a line within `batchMs`, together with the lines that follow it. */
  batch(line: string): void;
  /** Resolves once the stream has accepted all lines written so far, or has failed. */
  flushed(): Promise<void>;
};

/**
 * How long a line may wait, in milliseconds. A killed process loses the lines of this period. Longer batches would save little more, because most of
 * the gain comes from the first few lines per write.
 */
const batchMs = 10;
/** A batch of this size, in characters, is written at once. For ASCII text, the size is the capacity of a pipe on Linux. */
const largestBatch = 64 * 1024;

/** Functions that write the waiting batches when the process ends: by `process.exit`, by an uncaught error, or because no work is left. */
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
        // the timer need not keep the process running, because the batch is also written when the process ends
        timer = setTimeout(flush, batchMs).unref();
        flushAtExit();
        waiting.add(flush);
      }
      batched += `${line}\n`;
      // in a busy event loop the timer runs late, and in an exiting process it never runs
      if (isExiting || batched.length >= largestBatch || performance.now() - since >= batchMs) flush();
    },
    async flushed() {
      flush();
      await new Promise<void>((resolve) => stream.write('', () => resolve()));
    },
  };
}
