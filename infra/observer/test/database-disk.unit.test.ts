import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { observeDatabaseDisk } from '../database-disk.ts';

describe("The metrics of PostgreSQL's disk", () => {
  const path = tmpdir();

  async function values(o: { limitBytes?: number } = {}): Promise<Record<string, number>> {
    const registry = new Registry();
    await observeDatabaseDisk(registry, { path, ...o });
    const found = await registry.getMetricsAsJSON();
    return Object.fromEntries(found.map(({ name, values: [first] }) => [name, Number(first?.value)]));
  }

  it('are its size and its free space', async () => {
    const { blocks, bsize } = await statfs(path);
    const found = await values();
    expect(found['database_disk_size_bytes']).to.equal(blocks * bsize);
    expect(found['database_disk_free_bytes']).to.be.within(1, blocks * bsize);
  });

  it('have a limit of a fifth of the disk, of 10 GiB, or as configured', async () => {
    const { database_disk_size_bytes: size = 0, database_disk_limit_bytes: limit } = await values();
    expect(limit).to.equal(Math.min(size / 5, 10 * 1024 ** 3));
    expect(await values({ limitBytes: 5 })).to.include({ database_disk_limit_bytes: 5 });
  });

  it('need a folder that exists', async () => {
    const failed = observeDatabaseDisk(new Registry(), { path: `${path}/missing` });
    const error = await failed.then(
      () => expect.fail('it was measured'),
      (reason: unknown) => reason,
    );
    expect(error).to.include({ code: 'ENOENT' });
  });
});
