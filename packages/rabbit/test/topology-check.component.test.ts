import { expect } from 'chai';
import { Writable } from 'node:stream';
import { deadExchange, deadQueue, eventQueue, type Rabbit } from '@taskwire/rabbit';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
import { waitFor } from '@taskwire/testing';
import { aMessage, collector, createBench, type Bench } from './bench.ts';

type Line = Record<string, unknown> & { level: string; message: string };

const queue = eventQueue('tasks');
const patience = { timeoutMs: 15_000 };

describe('a consumer whose topology is changed while it runs', function () {
  this.timeout(40_000);
  let bench: Bench;
  let telemetry: Telemetry;
  let lines: Line[];
  let seen: ReturnType<typeof collector>;
  let publishing: Rabbit;

  beforeEach(async () => {
    bench = await createBench();
    lines = [];
    telemetry = createTelemetry({
      service: 'tasks',
      stream: new Writable({
        write(chunk, _encoding, done) {
          lines.push(JSON.parse(String(chunk)) as Line);
          done();
        },
      }),
    });
    seen = collector();
    // this interval is longer than any test, so the topology is not verified during a test
    publishing = await bench.rabbit({ verifyEveryMs: 3_600_000 });
  });
  afterEach(async () => await bench.drop());

  /** Starts a process of Tasks that consumes with its own login, and waits until it is ready. */
  async function consuming({ managed = true } = {}): Promise<Rabbit> {
    const rabbit = await bench.rabbit({
      login: 'tasks',
      telemetry,
      verifyEveryMs: 50,
      ...(managed ? { managementUrl: bench.broker.management.url } : {}),
    });
    rabbit.consume({ queue, prefetch: 10, onMessage: seen.onMessage });
    rabbit.consume({ queue: deadQueue('tasks'), prefetch: 10, onMessage: async () => undefined });
    await waitFor(async () => {
      await rabbit.ping();
      return (await metric('rabbit_topology_ok')) === 1;
    }, patience);
    return rabbit;
  }

  const path = (kind: string, rest: string) => `/${kind}/${bench.broker.vhost}/${rest}`;
  const remove = async (kind: string, rest: string) => await bench.broker.management.call('DELETE', path(kind, rest));
  const removeBinding = async () => await remove('bindings', `e/taskwire.events/q/${queue}/auth.user.%2A`);
  const errors = () => lines.filter(({ level }) => level === 'error').map(({ message }) => message);

  async function metric(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
    const found = await telemetry.metrics.getSingleMetric(name)?.get();
    const matches = (value: { labels: object }) =>
      Object.entries(labels).every(([label, is]) => Reflect.get(value.labels, label) === is);
    return found?.values.find(matches)?.value;
  }

  /** Publishes until one of the published messages arrives. */
  async function receives(): Promise<void> {
    const published = new Set<string | undefined>();
    await waitFor(async () => {
      const message = aMessage();
      published.add(message.messageId);
      await publishing.publisher().publish(message);
      return seen.ids().some((id) => published.has(id));
    }, patience);
  }

  it('receives events again after its binding was deleted, and logs and counts the missing binding', async () => {
    await consuming();
    await receives();
    // the first check has found no missing binding or policy
    await waitFor(async () => (await metric('rabbit_missing_policy_keys', { queue })) === 0, patience);
    // a binding that is deleted between the query and the declaration of a check is restored without being reported
    await waitFor(async () => {
      await removeBinding().catch(() => undefined);
      return errors().some((message) => message.includes(`bindings of the queue ${queue} were missing`));
    }, patience);
    await receives();
    expect(lines.find(({ bindings }) => bindings !== undefined)?.['bindings']).to.deep.equal([
      'taskwire.events auth.user.*',
    ]);
    expect(await metric('rabbit_topology_lost_total', { kind: 'binding', queue })).to.equal(errors().length);
  });

  it('receives events again after its binding was deleted, without a management API', async () => {
    const rabbit = await consuming({ managed: false });
    await receives();
    await removeBinding();
    await receives();
    expect(await rabbit.ping()).to.equal(undefined);
    expect(lines.filter(({ message }) => message.includes('RABBITMQ_MANAGEMENT_URL is not set'))).to.have.length(1);
  });

  it('declares a deleted queue again, and counts it because its messages are lost', async () => {
    await consuming();
    await receives();
    // a check may declare the queue while the broker is still cancelling its consumers
    await remove('queues', queue);
    await receives();
    expect(errors().filter((message) => message.includes(`the queue ${queue} was deleted`))).to.have.length(1);
    expect(await metric('rabbit_topology_lost_total', { kind: 'queue', queue })).to.equal(1);
  });

  it('has its dead-letter queue bound again, so that dead-lettered messages are not dropped', async () => {
    await consuming();
    await remove('bindings', `e/${deadExchange}/q/${deadQueue('tasks')}/${queue}`);
    const bindings = async () =>
      await bench.broker.management.call<unknown[]>('GET', path('queues', `${deadQueue('tasks')}/bindings`));
    await waitFor(async () => (await bindings()).length === 2, patience);
  });

  it('is not ready while the exchange is missing, names who must create it, and receives events once it exists', async () => {
    const rabbit = await consuming();
    await receives();
    await remove('exchanges', 'taskwire.events');
    const remedy = 'taskwire.events is missing and has to be made by the operator';
    await waitFor(async () => (await rabbit.ping().then(() => '', String)).includes(remedy), patience);
    expect(await metric('rabbit_topology_ok')).to.equal(0);
    await bench.broker.restore();
    await waitFor(async () => await rabbit.ping().then(() => true), patience);
    await receives();
  });

  it('receives events again after its vhost was deleted and created again', async () => {
    await consuming();
    await receives();
    await bench.broker.management.call('DELETE', `/vhosts/${bench.broker.vhost}`);
    await bench.broker.restore();
    await receives();
  });

  it('reports missing policy keys in the log, a gauge and a warning until the policies are complete', async () => {
    const rabbit = await consuming();
    await waitFor(async () => (await metric('rabbit_missing_policy_keys', { queue })) === 0, patience);
    expect(await rabbit.ping()).to.equal(undefined);
    await remove('policies', queue);
    const { warning } = await waitFor(async () => await rabbit.ping(), patience);
    for (const key of ['dead-letter-exchange', 'dead-letter-strategy', 'delivery-limit', 'overflow'])
      expect(warning).to.include(key);
    expect(errors()).to.have.length(1);
    expect(errors()[0]).to.include(`the policy of the queue ${queue} lacks dead-letter-exchange`);
    expect(await metric('rabbit_missing_policy_keys', { queue })).to.equal(5);
    await bench.broker.restore();
    await waitFor(async () => (await rabbit.ping()) === undefined, patience);
    expect(await metric('rabbit_missing_policy_keys', { queue })).to.equal(0);
  });

  it('reports a dead-letter queue whose policy would drop messages that are redelivered too often', async () => {
    const rabbit = await consuming();
    await bench.broker.management.call('PUT', path('policies', deadQueue('tasks')), {
      pattern: '^tasks\\.events\\.dead$',
      'apply-to': 'queues',
      priority: 10,
      definition: { 'delivery-limit': 20, overflow: 'reject-publish' },
    });
    const { warning } = await waitFor(async () => await rabbit.ping(), patience);
    expect(warning).to.equal(`the policy of ${deadQueue('tasks')} lacks delivery-limit (needs 1000000, has 20)`);
  });

  it('consumes although the management API rejects its login, and logs that once', async () => {
    const { management, vhost } = bench.broker;
    const strange = management.url.replace('://', '://unknown:wrong@');
    const rabbit = await bench.rabbit({ login: 'tasks', telemetry, verifyEveryMs: 50, managementUrl: strange });
    rabbit.consume({ queue, prefetch: 10, onMessage: seen.onMessage });
    await receives();
    await management.call('DELETE', `/bindings/${vhost}/e/taskwire.events/q/${queue}/auth.user.%2A`);
    await receives();
    expect(await rabbit.ping()).to.equal(undefined);
    const said = lines.filter(({ message }) => message.includes('cannot be seen'));
    expect(said).to.have.length(1);
    expect(said[0]?.['error']).to.include('401: the login needs the tag management');
    expect(await metric('rabbit_missing_policy_keys', { queue })).to.be.NaN;
  });
});
