import { chmodSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { answers, disposableFolder, reapFolderIfOrphaned, releaseFolder } from '@taskwire/process-supervisor';
import { waitFor } from '@taskwire/testing';
import { configuredPorts, type SuitePorts } from '../ports.ts';
import { childrenOf, elevenConsecutivePorts, launch, logIn, type Launcher } from './launcher.ts';

describe('npm start', function () {
  this.timeout(180_000);
  const dir = disposableFolder('taskwire-start-');
  let base: number;
  let ports: SuitePorts;
  let launcher: Launcher | undefined;

  before(async () => {
    chmodSync(dir, 0o755); // as left by an older version
    reapFolderIfOrphaned(dir);
    base = await elevenConsecutivePorts();
    ports = configuredPorts(String(base));
  });
  after(async () => {
    await launcher?.stop('SIGTERM');
    rmSync(dir, { recursive: true, force: true, maxRetries: 12, retryDelay: 100 });
    releaseFolder(dir);
  });

  it('starts everything, and prints its addresses and the users who can log in', async () => {
    launcher = launch(dir, base);
    await launcher.ready();
    expect(launcher.output()).to.include(`http://localhost:${base}`).and.to.include('ann@taskwire.test');
    expect(launcher.output()).to.include(
      'settings for development: REGISTRATION=open, AUTH_REQUIRE_VERIFIED_EMAIL=off',
    );
    expect(await logIn(ports)).to.equal(200);
  });

  it('allows pages of the usual development servers, and no others on the API', async () => {
    const allowed = async (origin: string, path: string) => {
      const headers = { origin, 'access-control-request-method': 'POST' };
      const answer = await fetch(`http://localhost:${base}${path}`, { method: 'OPTIONS', headers });
      return answer.headers.get('access-control-allow-origin');
    };
    for (const path of ['/api/v1/tasks', '/oidc/token']) {
      for (const origin of ['http://localhost:5173', 'http://localhost:3000'])
        expect(await allowed(origin, path), path).to.equal(origin);
    }
    expect(await allowed('http://localhost:4200', '/api/v1/tasks')).to.equal(null);
  });

  it('keeps everything private to its owner: other users cannot read the folder', () => {
    expect(statSync(dir).mode & 0o777).to.equal(0o700);
    expect(statSync(join(dir, 'mail')).mode & 0o777).to.equal(0o700);
  });

  it('refuses a second start in the same folder and names the first', async () => {
    const second = launch(dir, base);
    expect(await second.ended).to.equal(1);
    expect(second.output()).to.match(new RegExp(`running already: process ${launcher?.pid}`));
    expect(await logIn(ports)).to.equal(200);
  });

  it('restarts a service that was killed, and shows its last log lines', async () => {
    const tasks = childrenOf(launcher?.pid).find(({ command }) => command.includes('services/tasks/src/main.ts'));
    expect(tasks).not.to.equal(undefined);
    process.kill(Number(tasks?.pid), 'SIGKILL');
    await waitFor(() => launcher?.output().includes('tasks was restarted'), { timeoutMs: 30_000 });
    expect(launcher?.output()).to.match(/tasks ended by SIGKILL[^]*\| \{/);
  });

  it('stops everything within 10 s', async () => {
    const began = performance.now();
    expect(await launcher?.stop('SIGTERM')).to.equal(0);
    expect(performance.now() - began).to.be.below(10_000);
    expect(await Promise.all(Object.values(ports).map(answers))).not.to.include(true);
  });

  it('names the port that is taken, and starts nothing', async () => {
    const stranger = createServer();
    await new Promise<void>((resolve) => stranger.listen(ports.smtp, '127.0.0.1', resolve));
    launcher = launch(dir, base);
    expect(await launcher.ended).to.equal(1);
    await new Promise((resolve) => stranger.close(resolve));
    expect(launcher.output()).to.match(new RegExp(`A port is taken: ${ports.smtp} \\(smtp\\)[^]*TASKWIRE_PORT_BASE`));
  });

  it('stops what it has started when it is interrupted halfway', async () => {
    launcher = launch(dir, base);
    await waitFor(() => launcher?.output().includes('postgres               ready'), { timeoutMs: 60_000 });
    await launcher.stop('SIGINT');
    expect(await Promise.all(Object.values(ports).map(answers))).not.to.include(true);
  });
});
