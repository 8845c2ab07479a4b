import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { externalServers } from '../external-servers.ts';
import { configuredPorts } from '../ports.ts';
import { neededPorts } from '../preflight.ts';
import { readableLine } from '../readable-line.ts';
import { keptSecrets } from '../secrets.ts';
import { chosenOrigins, chosenSettings } from '../service-env.ts';

describe('The configuration of npm start', () => {
  it('counts ports up from TASKWIRE_PORT_BASE', () => {
    expect(configuredPorts('18000')).to.include({
      gateway: 18000,
      auth: 18001,
      smtp: 18005,
      postgres: 18006,
      amqp: 18007,
      erlang: 18010,
    });
    expect(configuredPorts(undefined)).to.include({ gateway: 8080, postgres: 25432, management: 26719 });
  });

  it('refuses a TASKWIRE_PORT_BASE that leaves no room for the ports', () => {
    for (const base of ['80', '65530', 'many', '18000.5'])
      expect(() => configuredPorts(base), base).to.throw('TASKWIRE_PORT_BASE');
  });

  it('needs no ports for external servers', () => {
    const databases = { AUTH_DATABASE_URL: 'postgres://a@h/a', TASKS_DATABASE_URL: 'postgres://t@h/t' };
    const some = externalServers({ ...databases, AMQP_URL: 'amqp://h', SMTP_URL: '' });
    expect(Object.keys(neededPorts(configuredPorts(undefined), some))).to.have.members([
      ...['gateway', 'auth', 'tasks', 'notifications', 'postgres', 'mailPage', 'smtp'],
    ]);
    const all = externalServers({
      ...databases,
      NOTIFICATIONS_DATABASE_URL: 'postgresql://n@h/n',
      AMQP_URL: 'amqps://h',
      SMTP_URL: 'smtp://h',
    });
    expect(Object.keys(neededPorts(configuredPorts(undefined), all))).to.have.members([
      'gateway',
      'auth',
      'tasks',
      'notifications',
    ]);
  });

  it('leaves registration open unless the environment restricts it, and passes on further settings', () => {
    expect(chosenSettings({})).to.deep.equal({ REGISTRATION: 'open', AUTH_REQUIRE_VERIFIED_EMAIL: 'off' });
    const strict = { REGISTRATION: 'domains', REGISTRATION_DOMAINS: 'example.org', AUTH_REQUIRE_VERIFIED_EMAIL: 'on' };
    expect(chosenSettings({ ...strict, SECRET: 'x' })).to.deep.equal(strict);
    expect(chosenSettings({ SHUFFLES_PER_MINUTE: '3' })).to.include({ SHUFFLES_PER_MINUTE: '3' });
    expect(chosenSettings({ NOTIFICATION_DAYS: '7' })).to.include({ NOTIFICATION_DAYS: '7' });
    const observed = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', SENTRY_DSN: 'http://key@localhost/1' };
    expect(chosenSettings(observed)).to.include(observed);
    expect(chosenSettings({ REGISTRATION: '' })).to.include({ REGISTRATION: 'open' });
  });

  it('allows the pages of common development servers, unless CORS_ORIGINS names others', () => {
    expect(chosenOrigins({})).to.deep.equal(['http://localhost:5173', 'http://localhost:3000']);
    expect(chosenOrigins({ CORS_ORIGINS: '' })).to.deep.equal(chosenOrigins({}));
    const given = 'https://app.example.com, http://localhost:4200';
    expect(chosenOrigins({ CORS_ORIGINS: given })).to.deep.equal(['https://app.example.com', 'http://localhost:4200']);
    expect(() => chosenOrigins({ CORS_ORIGINS: 'http://localhost:5173/' })).to.throw(
      'CORS_ORIGINS: has "http://localhost:5173/", which is not an origin; write http://localhost:5173',
    );
  });

  it('names a variable that is not a URL, without its value', () => {
    expect(() => externalServers({ AMQP_URL: 'localhost:5672 secret' })).to.throw(
      /^AMQP_URL must be a URL that begins with amqp:\/\/ or amqps:\/\/\.$/,
    );
  });
});

describe('The secrets of a suite', () => {
  const dir = mkdtempSync(join(tmpdir(), 'taskwire-secrets-'));
  after(() => rmSync(dir, { recursive: true }));

  it('are created once, differ between suites, and are readable only by their owner', () => {
    const first = keptSecrets(join(dir, 'a.json'));
    expect(keptSecrets(join(dir, 'a.json'))).to.deep.equal(first);
    expect(keptSecrets(join(dir, 'b.json')).keyEncryption).not.to.equal(first.keyEncryption);
    expect(statSync(join(dir, 'a.json')).mode & 0o777).to.equal(0o600);
    expect(Buffer.from(first.keyEncryption, 'base64')).to.have.length(32);
    const values = readFileSync(join(dir, 'a.json'), 'utf8').match(/: "[^"]+"/g) ?? [];
    expect(new Set(values).size, 'no secret is used twice').to.equal(values.length);
  });

  it('report the file and the remedy when they cannot be read', () => {
    writeFileSync(join(dir, 'broken.json'), '{');
    expect(() => keptSecrets(join(dir, 'broken.json'))).to.throw(/broken\.json cannot be read; npm start -- --fresh/);
  });
});

describe('A log line on the terminal', () => {
  it('shows the time, the level, the message and the other fields of the JSON', () => {
    const line = JSON.stringify({
      timestamp: '2026-11-20T10:11:12.345Z',
      level: 'info',
      service: 'tasks',
      message: 'request',
      status: 201,
      trace_id: 'x',
      checks: { a: 1 },
    });
    expect(readableLine('tasks', line)).to.equal('tasks         10:11:12.345 info  request status=201 checks={"a":1}');
  });

  it('stays unchanged when a program does not log JSON', () => {
    expect(readableLine('postgres', '{ not json')).to.equal('postgres      { not json');
  });
});
