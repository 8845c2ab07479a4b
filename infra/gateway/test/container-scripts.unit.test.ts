import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const container = fileURLToPath(new URL('../container/', import.meta.url));

/** Sources the script as the image's entrypoint does, and returns the directive for the template. */
function resolverOf(env: Record<string, string>): string {
  const command = `. ${container}16-resolver.envsh; printf %s "$GATEWAY_RESOLVER"`;
  return spawnSync('sh', ['-euc', command], { env: { PATH: process.env['PATH'], ...env }, encoding: 'utf8' }).stdout;
}

describe("the resolver of the gateway's container", () => {
  it('is only the first name server, since nginx believes any server that says that a name does not exist', () => {
    expect(resolverOf({ NGINX_LOCAL_RESOLVERS: '10.89.0.1 192.0.2.53 ' })).to.equal('resolver 10.89.0.1 valid=5s;');
    expect(resolverOf({ NGINX_LOCAL_RESOLVERS: '[fd00::1] 192.0.2.53 ' })).to.equal('resolver [fd00::1] valid=5s;');
  });

  it('is the one in GATEWAY_RESOLVER if that is set', () => {
    expect(resolverOf({ NGINX_LOCAL_RESOLVERS: '192.0.2.53 ', GATEWAY_RESOLVER: '127.0.0.11' })).to.equal(
      'resolver 127.0.0.11 valid=5s;',
    );
    expect(resolverOf({ NGINX_LOCAL_RESOLVERS: '192.0.2.53 ', GATEWAY_RESOLVER: '' })).to.equal(
      'resolver 192.0.2.53 valid=5s;',
    );
  });

  it('is none in a container without name servers', () => {
    expect(resolverOf({})).to.equal('');
  });
});

describe("the health check of the gateway's container", () => {
  /** Runs the health check with a wget that succeeds for all paths except this one. */
  function check(silent: string) {
    const bin = mkdtempSync(join(tmpdir(), 'taskwire-wget-'));
    const wget = `#!/bin/sh\nfor url; do :; done\ntest "\${url##*:8080}" != '${silent}'\n`;
    writeFileSync(join(bin, 'wget'), wget, { mode: 0o755 });
    return spawnSync('sh', [`${container}health.sh`], { env: { PATH: `${bin}:/bin:/usr/bin` }, encoding: 'utf8' });
  }

  it('passes when nginx and every service answer', () => {
    expect(check('none')).to.include({ status: 0, stderr: '' });
  });

  for (const path of ['/health', '/.upstream/auth', '/.upstream/tasks', '/.upstream/notifications']) {
    it(`fails, and says so, when ${path} does not answer`, () => {
      expect(check(path)).to.include({ status: 1, stderr: `${path} does not answer\n` });
    });
  }
});
