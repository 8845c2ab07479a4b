import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { expect } from 'chai';
import { spansOf, waitFor, type ReceivedSpan } from '@taskwire/testing';
import { demoPerson, mailsTo, newMember, type Person, type Task } from './front-end.ts';
import { traceReceiver, useSuite } from './suite.ts';

describe('The trace of a task', () => {
  const suite = useSuite();
  let manager: Person;
  let performer: Person;
  let task: Task;
  let trace: string;
  let spans: ReceivedSpan[];

  async function assign(title: string) {
    const answer = await manager.call<Task>('POST', '/api/v1/tasks', { title, assignee_id: performer.user.id });
    expect(answer.status).to.equal(201);
    return answer;
  }

  async function mailed(title: string): Promise<void> {
    await waitFor(async () =>
      (await mailsTo(suite(), performer.user.email)).some((mail) => mail.subject.includes(title)),
    );
  }

  const spansOfTrace = () => spansOf(traceReceiver().requests).filter(({ traceId }) => traceId === trace);

  before(async () => {
    manager = await demoPerson(suite(), 'manager');
    performer = await newMember(suite(), 'Tara Tracer');
    // afterwards the services have their tokens and know the users
    await assign('Fill the can');
    await mailed('Fill the can');
    const answer = await assign('Water the orchid');
    task = answer.body;
    // the gateway's id of the request
    trace = answer.headers.get('x-request-id') ?? '';
    await mailed('Water the orchid');
    spans = await waitFor(() => {
      const found = spansOfTrace();
      const ended = (name: string) => found.filter((span) => span.name.startsWith(name)).length;
      // each service sends its own spans
      return ended('deliver email') + ended('POST ') + ended('publish ') + ended('GET ') === 7 && found;
    });
  });

  it('is a single trace, from the request at the gateway to the conversation with the mail server', () => {
    const path: string[] = [];
    let span = spans.find(({ name }) => name === 'SMTP send');
    while (span !== undefined) {
      const { service, kind, name, parentSpanId } = span;
      path.unshift(`${service} ${kind} ${name}`);
      span = spans.find(({ spanId }) => spanId === parentSpanId);
    }
    expect(path).to.deep.equal([
      'tasks SERVER POST /api/v1/tasks',
      'tasks PRODUCER publish taskwire.events:tasks.task.assigned',
      'notifications CONSUMER process notifications.events',
      'notifications INTERNAL handle notify',
      'notifications CONSUMER deliver email',
      'notifications CLIENT SMTP send',
    ]);
    const [root, ...others] = spans.filter(({ parentSpanId }) => parentSpanId === undefined || parentSpanId === '');
    expect([root?.name, others]).to.deep.equal(['POST /api/v1/tasks', []]);
  });

  it('has these spans for requests, messages, statements and mails', () => {
    const system = ({ attributes }: ReceivedSpan) =>
      ['db.system.name', 'messaging.system', 'network.protocol.name'].map((name) => attributes[name]).find(Boolean);
    const counts: Record<string, number> = {};
    for (const span of spans) {
      const key = `${span.kind} ${system(span) ?? 'http'}`;
      if (span.name !== 'handle notify' && span.name !== 'deliver email') counts[key] = (counts[key] ?? 0) + 1;
    }
    const { 'CLIENT postgresql': statements, ...others } = counts;
    expect(others).to.deep.equal({
      // the caller's request, and Notifications' request for the task
      ...{ 'SERVER http': 2, 'CLIENT http': 1 },
      // created, changed and assigned
      ...{ 'PRODUCER rabbitmq': 3, 'CONSUMER rabbitmq': 3 },
      'CLIENT smtp': 1,
    });
    expect(statements).to.be.above(10);
    expect(spans.map(({ name }) => name)).to.include.members([
      'tasks.create_assigned',
      'notifications.insert_with_deliveries',
      'deliveries.begin_sending',
      'deliveries.record_attempt',
    ]);
  });

  it('has only attributes of the semantic conventions and our own, and no personal data', () => {
    const known = new Set<unknown>(Object.values(conventions).filter((value) => typeof value === 'string'));
    const names = new Set(spans.flatMap(({ attributes }) => Object.keys(attributes)));
    const unknown = [...names].filter((name) => !known.has(name) && !name.startsWith('taskwire.'));
    expect(unknown).to.deep.equal([]);
    const sent = JSON.stringify(spans, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
    for (const personal of [task.title, performer.user.email, performer.user.id, manager.user.email, 'Tara']) {
      expect(sent).not.to.include(personal);
    }
  });
});
