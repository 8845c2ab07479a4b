import { expect } from 'chai';
import { z } from 'zod';
import { EnvError, fields, readEnv, readEnvOrExit } from '../src/index.ts';

const schema = z.object({
  PORT: fields.port,
  DATABASE_URL: fields.postgresUrl,
  SHUTDOWN_TIMEOUT_MS: fields.milliseconds.default(8000),
  KEY: fields.privateKey.optional(),
  CLIENTS: fields.json(z.array(z.object({ id: z.string() }))).optional(),
});

function faults(source: Record<string, string>): readonly string[] {
  try {
    readEnv(schema, source);
  } catch (error) {
    if (error instanceof EnvError) return error.faults;
    throw error;
  }
  throw new Error('the environment was accepted');
}

describe('reading the environment', () => {
  it('returns typed values with defaults', () => {
    const env = readEnv(schema, { PORT: '3001', DATABASE_URL: 'postgres://a:b@c/d', OTHER: 'x' });
    expect(env).to.deep.equal({ PORT: 3001, DATABASE_URL: 'postgres://a:b@c/d', SHUTDOWN_TIMEOUT_MS: 8000 });
  });

  it('reports all faults at once, each with the name of its variable', () => {
    const all = faults({ PORT: '70000', SHUTDOWN_TIMEOUT_MS: 'soon' });
    expect(all.map((fault) => fault.split(/[ :]/)[0])).to.have.members(['PORT', 'DATABASE_URL', 'SHUTDOWN_TIMEOUT_MS']);
  });

  it('treats an empty variable as not set', () => {
    expect(faults({ PORT: '1', DATABASE_URL: '' })[0]).to.match(/^DATABASE_URL is not set: a URL such as/);
  });

  it('distinguishes an unreadable key file from one without a key', () => {
    const base = { PORT: '1', DATABASE_URL: 'postgres://a:b@c/d' };
    expect(faults({ ...base, KEY: 'file:///nowhere/key' })).to.have.lengthOf(1);
    expect(faults({ ...base, KEY: 'file:///nowhere/key' })[0]).to.match(/^KEY.* cannot be read \(ENOENT\)/);
    expect(faults({ ...base, KEY: import.meta.url })[0]).to.match(/^KEY.* must be a private key/);
  });

  it('repeats no value, which may be a secret', () => {
    const all = faults({ PORT: '1', DATABASE_URL: 'hunter2', CLIENTS: '{"hunter2"' });
    expect(all.join()).not.to.contain('hunter2');
  });
});

describe('a process with an invalid environment', () => {
  it('reports all faults and exits with the code for a bad configuration', () => {
    const written: string[] = [];
    const from = {
      env: { PORT: 'x' },
      stderr: { write: (text: string) => written.push(text) > 0 },
      exit(code: number): never {
        throw new Error(`exit ${code}`);
      },
    };
    expect(() => readEnvOrExit(schema, from)).to.throw('exit 78');
    expect(written.join('')).to.match(
      /^The environment is invalid:\n {2}- PORT: .*\n {2}- DATABASE_URL is not set: .*\n$/,
    );
  });
});
