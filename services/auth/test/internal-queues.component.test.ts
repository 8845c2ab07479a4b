import { expect } from 'chai';
import { listQueues } from '../src/app/list-queues.ts';
import { tasksClient, serviceToken } from './support/auth-harness.ts';
import { runHere } from './support/command-line.ts';
import { oidcHarness, type OidcHarness } from './support/oidc-harness.ts';

const grants = [{ audience: 'urn:taskwire:tasks', scopes: ['jobs:work'] }];
/** A client of the configuration. */
const configured = {
  ...{ client_id: 'configured', secret_hash: 'a'.repeat(43), grants },
  queues: ['mails', 'reports'],
};

describe('the queues of registered clients', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness({}, [configured, tasksClient.settings]);
  });
  after(async () => await harness.stop());

  const client = async (verb: string, id: string, ...more: string[]) => {
    const { code, stderr } = await runHere(['client', verb, '--id', id, ...more], {
      DATABASE_URL: harness.database.url,
    });
    expect(code, stderr).to.equal(0);
  };
  const add = async (id: string, ...queues: string[]) => {
    const grant = ['--secret', '--grant', 'urn:taskwire:tasks=jobs:work'];
    await client('add', id, ...grant, ...queues.flatMap((queue) => ['--queue', queue]));
  };
  const listed = async () => {
    const token = await serviceToken(harness, tasksClient);
    const { status, body } = await harness.api.call('listQueues', { token });
    expect(status).to.equal(200);
    return body;
  };

  it('are listed once each, as they are registered, changed and removed', async () => {
    expect(await listed()).to.deep.equal({ data: ['mails', 'reports'], more: false });
    await add('printer', 'reports', 'a-4');
    await add('other-printer', 'a-4', 'a.5');
    expect(await listed()).to.deep.equal({ data: ['a-4', 'a.5', 'mails', 'reports'], more: false });
    await client('change', 'printer', '--queue', 'a_3');
    expect(await listed()).to.deep.equal({ data: ['a-4', 'a.5', 'a_3', 'mails', 'reports'], more: false });
    await client('remove', 'other-printer');
    expect(await listed()).to.deep.equal({ data: ['a_3', 'mails', 'reports'], more: false });
    await client('remove', 'printer');
  });

  it('exclude those of a client that the configuration replaces', async () => {
    await add('configured', 'replaced');
    expect(await listed()).to.deep.equal({ data: ['mails', 'reports'], more: false });
    await client('remove', 'configured');
  });

  it('are limited in number, and the response says when it is not complete', async () => {
    const queuesOfClients = async (limit: number) => await Promise.resolve(['a', 'b', 'c'].slice(0, limit));
    expect(await listQueues({ queuesOfClients, most: 2 })()).to.deep.equal({ data: ['a', 'b'], more: true });
    expect(await listQueues({ queuesOfClients, most: 3 })()).to.deep.equal({ data: ['a', 'b', 'c'], more: false });
  });
});
