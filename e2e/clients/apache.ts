import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@taskwire/testing';
import type { ClientAtWork } from './client-at-work.ts';

const modules = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'auth_openidc', 'headers', 'dir'];

/**
 * Apache with mod_auth_openidc, both as packaged by Debian, with the configuration of docs/clients.md. Pages below /protected have headers that name
 * the logged-in user (X-User) and the token for the API (X-Api).
 */
export async function startApache({
  issuer,
  clientId,
  clientSecret,
  origin,
}: ClientAtWork): Promise<{ stop(): Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'taskwire-apache-'));
  chmodSync(dir, 0o755); // when root starts Apache, its processes run as another user
  mkdirSync(join(dir, 'pages/protected'), { recursive: true });
  writeFileSync(join(dir, 'pages/protected/index.html'), 'protected');
  const values = {
    ISSUER: issuer,
    CLIENT_ID: clientId,
    CLIENT_SECRET: clientSecret,
    ORIGIN: origin,
    PASSPHRASE: clientSecret,
  };
  const lines = readFileSync(new URL('mod-auth-openidc.conf', import.meta.url), 'utf8');
  const filled = lines.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => values[name as keyof typeof values]);
  const { host } = new URL(origin);
  const conf = [
    ...modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
    `ServerName ${host}`,
    `Listen ${host}`,
    `PidFile ${join(dir, 'pid')}`,
    `DefaultRuntimeDir ${dir}`,
    `ErrorLog ${join(dir, 'error.log')}`,
    ...(process.getuid?.() === 0 ? ['User www-data', 'Group www-data'] : []),
    `DocumentRoot ${join(dir, 'pages')}`,
    'DirectoryIndex index.html',
    'Header always set X-User "expr=%{REMOTE_USER}"',
    'Header always set X-Api "expr=%{req:OIDC_access_token}"',
    filled,
  ].join('\n');
  writeFileSync(join(dir, 'apache.conf'), conf);
  const child = spawn('/usr/sbin/apache2', ['-D', 'FOREGROUND', '-f', join(dir, 'apache.conf')], { stdio: 'inherit' });
  const ended = once(child, 'exit');
  const stop = async () => {
    if (child.exitCode === null) child.kill('SIGTERM');
    await ended;
    rmSync(dir, { recursive: true });
  };
  try {
    await waitFor(async () => (await fetch(`${origin}/`).catch(() => undefined)) !== undefined);
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}
