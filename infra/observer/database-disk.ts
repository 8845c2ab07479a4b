import { statfsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { Gauge, type Registry } from 'prom-client';
import { z } from 'zod';

/** The highest default limit, in bytes: enough for hours of WAL. A fifth of a large disk would be more than PostgreSQL needs. */
const highestLimit = 10 * 1024 ** 3;

/** The sizes of a file system, in blocks of `frsize` bytes, as statfs returns them. */
type Measured = { frsize: number; blocks: number; bavail: number };

/** The configuration causes these errors. All others are faults of the disk, which may pass, and must not keep the process from starting. */
const configurationErrors = ['ENOENT', 'ENOTDIR', 'EACCES'];

/** An environment variable that holds the path of a folder whose file system can be measured by this process. */
export function diskPath(measure: (path: string) => unknown = statfsSync) {
  return z.string().superRefine((path, context) => {
    try {
      measure(path);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (!configurationErrors.includes(code)) return;
      const message = `names a folder that this process cannot reach (${code}); mount the disk of PostgreSQL's data there, or remove the variable if this disk is not to be measured`;
      context.addIssue({ code: 'custom', message });
    }
  });
}

/**
 * Registers the size of the file system that contains `path`, its free space as PostgreSQL may use it, and the free space below which the alert fires:
 * by default a fifth of the size, at most 10 GiB. Each scrape measures them once. A disk that cannot be measured within `timeoutMs` affects no other
 * metric: these three are missing until it can be measured again, and `onFailure` gets the reason once.
 */
export function observeDatabaseDisk(
  registry: Registry,
  o: {
    path: string;
    limitBytes?: number;
    timeoutMs: number;
    onFailure(reason: string): void;
    measure?: (path: string) => Promise<Measured>;
  },
): void {
  const { measure = statfs } = o;
  let isFailing = false;
  // All gauges of a scrape share a measurement. If the disk does not respond, later scrapes share it, too, because each call occupies a thread of
  // libuv's pool.
  let running: Promise<Measured> | undefined;

  async function measured(): Promise<Measured | undefined> {
    running ??= measure(o.path).finally(() => (running = undefined));
    const timer = new AbortController();
    try {
      const found = await Promise.race([running, expiry(timer.signal)]);
      isFailing = false;
      return found;
    } catch (error) {
      if (!isFailing) o.onFailure(errorText(error));
      isFailing = true;
      return undefined;
    } finally {
      timer.abort();
    }
  }

  async function expiry(signal: AbortSignal): Promise<never> {
    await delay(o.timeoutMs, undefined, { signal });
    throw new Error(`The disk did not respond within ${o.timeoutMs} ms.`);
  }

  function gauge(name: string, help: string, valueOf: (found: Measured) => number): void {
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const found = await measured();
        if (found === undefined) this.remove();
        else this.set(valueOf(found));
      },
    });
  }

  const size = ({ blocks, frsize }: Measured) => blocks * frsize;
  gauge('database_disk_size_bytes', "Size of the disk that contains PostgreSQL's data.", size);
  gauge(
    'database_disk_free_bytes',
    'Free space of this disk. Alert below database_disk_limit_bytes.',
    ({ bavail, frsize }) => bavail * frsize,
  );
  gauge(
    'database_disk_limit_bytes',
    'The free space of this disk below which it is low.',
    (found) => o.limitBytes ?? Math.min(size(found) / 5, highestLimit),
  );
}
