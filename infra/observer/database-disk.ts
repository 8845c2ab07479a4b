import { statfs } from 'node:fs/promises';
import { Gauge, type Registry } from 'prom-client';

/** The highest default limit, in bytes: enough for hours of WAL. A fifth of a large disk would be more than PostgreSQL needs. */
const highestLimit = 10 * 1024 ** 3;

/**
 * Registers the size of the file system that contains `path`, its free space as PostgreSQL may use it, and the free space below which the alert fires:
 * by default a fifth of the size, at most 10 GiB. Each scrape measures them.
 * @throws an error of the file system if the path cannot be measured now; later, the metrics are missing while that is so.
 */
export async function observeDatabaseDisk(registry: Registry, o: { path: string; limitBytes?: number }): Promise<void> {
  async function measure() {
    const { bavail, blocks, bsize } = await statfs(o.path);
    const size = blocks * bsize;
    return { free: bavail * bsize, size, limit: o.limitBytes ?? Math.min(size / 5, highestLimit) };
  }

  function gauge(name: string, help: string, valueOf: (measured: Awaited<ReturnType<typeof measure>>) => number): void {
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const measured = await measure().catch(() => undefined);
        if (measured === undefined) this.remove();
        else this.set(valueOf(measured));
      },
    });
  }

  await measure();
  gauge('database_disk_size_bytes', "Size of the disk that contains PostgreSQL's data.", ({ size }) => size);
  gauge(
    'database_disk_free_bytes',
    'Free space of this disk. Alert below database_disk_limit_bytes.',
    ({ free }) => free,
  );
  gauge('database_disk_limit_bytes', 'The free space of this disk below which it is low.', ({ limit }) => limit);
}
