import { lastOf } from './engine.ts';
import type { Suite } from './suite.ts';

/** A folder by the numbers of its device and inode, which are the same in every container that mounts it, and the size of its file system in bytes. */
export type Disk = { folder: string; sizeBytes: number };

/** The folder whose disk the exporter is to measure, and what its /metrics says; NaN for a metric that is missing. */
export type MeasuredDisk = Disk & { freeBytes: number };

const inExporter = `
  const { statSync } = require('node:fs');
  const { dev, ino } = statSync(process.env.DATABASE_DISK_PATH);
  fetch('http://127.0.0.1:9145/metrics').then((response) => response.text()).then((text) => {
    const value = (name) => new RegExp('^' + name + ' (.+)$', 'm').exec(text)?.[1] ?? 'NaN';
    console.log(dev + ':' + ino, value('database_disk_size_bytes'), value('database_disk_free_bytes'));
  });`;
const inPostgres =
  'cd /var/lib/postgresql && stat --format %d:%i . && stat --file-system --format "%S %b" . && ls */docker/PG_VERSION';

/** Returns the faults of the exporter's metrics about the disk of PostgreSQL. */
export function faultsOfDisk(measured: MeasuredDisk, postgres: Disk): string[] {
  const { folder, sizeBytes, freeBytes } = measured;
  return [
    ...(folder !== postgres.folder ? [`sees folder ${folder} and not that of PostgreSQL, ${postgres.folder}`] : []),
    ...(sizeBytes !== postgres.sizeBytes ? [`reports a disk of ${sizeBytes} bytes, not ${postgres.sizeBytes}`] : []),
    ...(freeBytes >= 0 && freeBytes <= sizeBytes ? [] : [`reports ${freeBytes} free bytes`]),
  ].map((fault) => `the container of gateway-exporter ${fault}`);
}

/** Compares the exporter's metrics about the disk of PostgreSQL with the disk that PostgreSQL's container has. */
export async function checkDisk({ compose }: Suite, say: (text: string) => void): Promise<string[]> {
  const exporter = await compose(['exec', '-T', 'gateway-exporter', 'node', '--eval', inExporter]);
  const postgres = await compose(['exec', '-T', 'postgres', 'sh', '-c', inPostgres]);
  for (const result of [exporter, postgres])
    if (result.code !== 0) return [`the disk of PostgreSQL cannot be inspected: ${lastOf(result)}`];
  const [seen = '', sizeBytes, freeBytes] = exporter.stdout.trim().split(/\s+/);
  const [folder = '', blockBytes, blocks] = postgres.stdout.trim().split(/\s+/);
  const measured = { folder: seen, sizeBytes: Number(sizeBytes), freeBytes: Number(freeBytes) };
  say(`the exporter reports ${freeBytes} of ${sizeBytes} bytes of PostgreSQL's disk as free`);
  return faultsOfDisk(measured, { folder, sizeBytes: Number(blockBytes) * Number(blocks) });
}
