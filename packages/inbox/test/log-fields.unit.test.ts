import { expect } from 'chai';
import { describeJob } from '../src/job.ts';
import type { Message } from '../src/message.ts';

describe('The log fields of a message', () => {
  const [trace, span] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  const [task, user] = ['01a1fa18-4b82-7fe1-bc48-7791012fab82', '01a1fa18-0000-7fe1-bc48-7791012fab82'];
  const fieldsOf = (headers: object) =>
    describeJob({
      message: {
        ...{ id: 'm1', type: 'tasks.task.assigned', aggregateId: task, correlationId: 'r1' },
        headers: JSON.stringify(headers),
        payload: Buffer.from(JSON.stringify({ actor: user })),
      } as Message,
      handler: 'notify',
    });

  it('name its task, its user, its request and its trace, also when it is handled later, outside the trace', () => {
    expect(fieldsOf({ traceparent: `00-${trace}-${span}-01` })).to.deep.equal({
      ...{ message_id: 'm1', event: 'tasks.task.assigned', handler: 'notify' },
      ...{ task_id: task, user_id: user, request_id: 'r1', trace_id: trace },
    });
  });

  it('leave the trace to the current work if the message has none', () => {
    for (const traceparent of [undefined, 7, 'nonsense', `00-${'0'.repeat(32)}-${span}-01`])
      expect(fieldsOf({ traceparent })['trace_id'], String(traceparent)).to.equal(undefined);
  });
});
