import { rmSync } from 'node:fs';
import { expect } from 'chai';
import { disposableFolder, isAlive, reapFolderIfOrphaned, releaseFolder } from '@taskwire/process-supervisor';
import { configuredPorts } from '../ports.ts';
import { childrenOf, elevenConsecutivePorts, launch, logIn, type Launcher } from './launcher.ts';

describe('npm start', function () {
  this.timeout(180_000);
  const dir = disposableFolder('taskwire-start-');
  let launcher: Launcher | undefined;

  before(() => reapFolderIfOrphaned(dir));
  after(async () => {
    await launcher?.stop('SIGTERM');
    rmSync(dir, { recursive: true, force: true, maxRetries: 12, retryDelay: 100 });
    releaseFolder(dir);
  });

  it('leaves nothing behind when it is killed with -9, and the next start recovers with the data', async () => {
    const base = await elevenConsecutivePorts();
    launcher = launch(dir, base);
    await launcher.ready();
    const parts = childrenOf(launcher.pid).map(({ pid }) => pid);
    expect(parts).to.have.length.above(7);
    await launcher.stop('SIGKILL');
    launcher = launch(dir, base);
    await launcher.ready();
    expect(parts.filter(isAlive)).to.deep.equal([]);
    expect(await logIn(configuredPorts(String(base)))).to.equal(200);
  });
});
