import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { fields } from '@taskwire/env';
import { clusterServers, newSecretFiles } from '../secret-files.ts';

const program = fileURLToPath(new URL('../new-secrets.ts', import.meta.url));
const read = (text: string | undefined) =>
  new Map(
    (text ?? '')
      .split('\n')
      .map((line): [string, string] => [/^[^=]*/.exec(line)?.[0] ?? '', line.replace(/^[^=]*=/, '')]),
  );

describe('the secrets of a cluster', () => {
  const files = newSecretFiles(clusterServers('smtps://mail.example.com'));

  it('give migrations and the service different logins, each with the password that the database has', () => {
    for (const name of ['auth', 'tasks', 'notifications']) {
      for (const [file, login] of [
        [name, name],
        [`${name}-owner`, `${name}_owner`],
      ]) {
        const url = new URL(read(files.get(`${file}.env`)).get('DATABASE_URL') ?? '');
        const inDatabase = read(files.get(`postgres-${file}.env`));
        expect([url.username, url.password]).to.deep.equal([login, inDatabase.get('password')]);
        expect(inDatabase.get('username')).to.equal(login);
      }
    }
  });

  it('have keys that the services accept', () => {
    expect(fields.privateKey.safeParse(read(files.get('tasks.env')).get('CLIENT_PRIVATE_KEY')).success).to.equal(true);
    const clients = JSON.parse(read(files.get('auth.env')).get('OIDC_CLIENTS') ?? '') as { client_id: string }[];
    expect(clients.map(({ client_id: id }) => id)).to.deep.equal(['tasks', 'notifications']);
  });

  it('differ each time', () => {
    const other = newSecretFiles(clusterServers('smtps://mail.example.com'));
    for (const [name, text] of files) expect(other.get(name), name).to.not.equal(text);
  });
});

describe('new-secrets.ts', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ['--no-warnings', program, ...args], { encoding: 'utf8' });

  it('writes files that only their owner can read, and never replaces them', () => {
    const overlay = mkdtempSync(join(tmpdir(), 'taskwire-overlay-'));
    writeFileSync(join(overlay, 'kustomization.yaml'), '');
    expect(run(overlay, '--smtp-url', 'smtp://mail:25').status).to.equal(0);
    const written = readdirSync(join(overlay, 'secrets'));
    expect(written).to.include.members(['auth.env', 'auth-owner.env', 'rabbitmq-definitions.json']);
    for (const name of written) expect(statSync(join(overlay, 'secrets', name)).mode & 0o777, name).to.equal(0o600);
    expect(run(overlay, '--smtp-url', 'smtp://mail:25'))
      .to.include({ status: 1 })
      .and.property('stderr')
      .match(/exists/);
  }).timeout(30_000);

  it('refuses a folder that is not an overlay', () => {
    expect(run(tmpdir(), '--smtp-url', 'smtp://mail:25').status).to.equal(2);
  }).timeout(30_000);
});
