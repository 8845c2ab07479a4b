import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvError, readEnv } from '@taskwire/env';
import { expect } from 'chai';
import { Counter, Registry } from 'prom-client';
import { z } from 'zod';
import { diskPath, observeDatabaseDisk } from '../database-disk.ts';

const path = tmpdir();
const names = ['database_disk_size_bytes', 'database_disk_free_bytes', 'database_disk_limit_bytes'];

describe("The metrics of PostgreSQL's disk", () => {
  /** A registry with the metrics of the disk and another one, and the reasons why they could not be measured. */
  function observed(o: Partial<Parameters<typeof observeDatabaseDisk>[1]> = {}) {
    const registry = new Registry();
    const reasons: string[] = [];
    observeDatabaseDisk(registry, { path, timeoutMs: 60_000, onFailure: (reason) => reasons.push(reason), ...o });
    new Counter({ name: 'lines_total', help: 'Lines.', registers: [registry] });
    return { scrape: async () => await valuesOf(registry), reasons };
  }

  async function valuesOf(registry: Registry): Promise<Record<string, number>> {
    const lines = (await registry.metrics()).split('\n').filter((line) => /^\w/.test(line));
    return Object.fromEntries(lines.map((line) => line.split(' ')).map(([name, value]) => [name, Number(value)]));
  }

  it('are its size and its free space', async () => {
    const { blocks, frsize } = await statfs(path);
    const found = await observed().scrape();
    expect(found['database_disk_size_bytes']).to.equal(blocks * frsize);
    expect(found['database_disk_free_bytes']).to.be.within(1, blocks * frsize);
  });

  it('have a limit of a fifth of the disk, of 10 GiB, or as configured', async () => {
    const limitOf = async (blocks: number, limitBytes?: number) => {
      const measure = async () => await Promise.resolve({ frsize: 1024, blocks, bavail: 1 });
      const { scrape } = observed({ measure, ...(limitBytes !== undefined && { limitBytes }) });
      return (await scrape())['database_disk_limit_bytes'];
    };
    expect(await limitOf(100)).to.equal(20 * 1024);
    expect(await limitOf(1024 ** 3)).to.equal(10 * 1024 ** 3);
    expect(await limitOf(100, 5)).to.equal(5);
  });

  it('are measured once for each scrape', async () => {
    let count = 0;
    const { scrape } = observed({
      measure: async (measured) => {
        count += 1;
        return await statfs(measured);
      },
    });
    expect(await scrape()).to.include.keys(names);
    expect(count).to.equal(1);
    await scrape();
    expect(count).to.equal(2);
  });

  it('are missing while the folder is, with one warning each time, and leave other metrics alone', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'taskwire-disk-'));
    const folder = join(parent, 'data');
    try {
      const { scrape, reasons } = observed({ path: folder });
      mkdirSync(folder);
      expect(await scrape()).to.have.keys([...names, 'lines_total']);
      rmdirSync(folder);
      expect(await scrape()).to.have.keys('lines_total');
      expect(await scrape()).to.have.keys('lines_total');
      expect(reasons).to.have.length(1);
      expect(reasons[0]).to.include('ENOENT');
      mkdirSync(folder);
      expect(await scrape()).to.have.keys([...names, 'lines_total']);
      rmdirSync(folder);
      await scrape();
      expect(reasons).to.have.length(2);
    } finally {
      rmSync(parent, { recursive: true });
    }
  });

  it('do not hold up a scrape when the disk does not respond, and ask it only once until it does', async () => {
    const sizes = await statfs(path);
    const disk = Promise.withResolvers<typeof sizes>();
    let count = 0;
    const { scrape, reasons } = observed({
      timeoutMs: 1,
      measure: async () => {
        count += 1;
        return await disk.promise;
      },
    });
    expect(await scrape()).to.have.keys('lines_total');
    expect(await scrape()).to.have.keys('lines_total');
    expect(reasons).to.have.length(1);
    expect(reasons[0]).to.include('did not respond within 1 ms');
    expect(count).to.equal(1);
    disk.resolve(sizes);
    expect(await scrape()).to.have.keys([...names, 'lines_total']);
  });
});

describe('The path of the disk of PostgreSQL', () => {
  function faults(given: string, field = diskPath()): readonly string[] {
    try {
      readEnv(z.object({ DATABASE_DISK_PATH: field }), { DATABASE_DISK_PATH: given });
      return [];
    } catch (error) {
      if (error instanceof EnvError) return error.faults;
      throw error;
    }
  }

  it('has to exist, and the error names the variable and the remedy', () => {
    expect(faults(path)).to.deep.equal([]);
    for (const missing of [join(path, 'missing'), join(import.meta.filename, 'below-a-file')]) {
      const [fault, ...others] = faults(missing);
      expect(others).to.deep.equal([]);
      expect(fault).to.match(/^DATABASE_DISK_PATH: .* \((ENOENT|ENOTDIR)\); mount .* or remove the variable/);
    }
  });

  it('may name a disk that fails, because the exporter has other metrics', () => {
    const broken = diskPath(() => {
      throw Object.assign(new Error('EIO: i/o error, statfs'), { code: 'EIO' });
    });
    expect(faults(path, broken)).to.deep.equal([]);
  });
});
