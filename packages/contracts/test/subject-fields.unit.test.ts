import { subjectFields } from '@taskwire/contracts';
import { expect } from 'chai';

describe('The log fields of an event', () => {
  const task = '01a2294f-d6d1-7e61-9f91-a89dd37d4fc8';

  it('name its aggregate by the kind of the event', () => {
    const of = (type: string) => subjectFields(type, 'a1', () => '{}');
    expect(of('tasks.task.created')).to.deep.equal({ task_id: 'a1' });
    expect(of('tasks.job.dead')).to.deep.equal({ job_id: 'a1' });
    expect(of('tasks.schedule.skipped')).to.deep.equal({ schedule_id: 'a1' });
    expect(of('auth.user.created')).to.deep.equal({ user_id: 'a1' });
    expect(of('auth.account.verification_requested')).to.deep.equal({ aggregate_id: 'a1' });
    expect(subjectFields('tasks.task.created', undefined, () => '{}')).to.deep.equal({});
  });

  it('also name the user who caused an event of a task, and the user of an account', () => {
    const user = '01a2294f-0000-7e61-9f91-a89dd37d4fc8';
    const caused = JSON.stringify({ task_uuid: task, title: `"actor":"${task}"`, actor: user, assigned_to: task });
    expect(subjectFields('tasks.task.assigned', task, () => caused)).to.deep.equal({ task_id: task, user_id: user });
    expect(subjectFields('tasks.task.assigned', task, () => '{"actor":null}')).to.deep.equal({ task_id: task });
    const account = subjectFields('auth.account.deleted', 'a1', () => JSON.stringify({ actor: task, user_id: user }));
    expect(account).to.deep.equal({ aggregate_id: 'a1', user_id: user });
  });

  it('are those of the event itself, not of an object inside it, and only ids', () => {
    const inside = JSON.stringify({ before: { actor: task }, actor: null });
    expect(subjectFields('tasks.task.assigned', task, () => inside)).to.deep.equal({ task_id: task });
    for (const payload of ['{"actor":"\\n"}', '{"actor":{}}', 'null', '[]', '{'])
      expect(subjectFields('tasks.task.assigned', task, () => payload)).to.deep.equal({ task_id: task });
  });

  it('also name the task of a comment, so that a search for the task finds its comments', () => {
    const payload = JSON.stringify({ task_uuid: task, comment_uuid: 'c1' }, null, 1);
    const fields = { comment_id: 'c1', task_id: task };
    expect(subjectFields('tasks.comment.added', 'c1', () => payload)).to.deep.equal(fields);
    expect(subjectFields('tasks.comment.added', 'c1', () => 'no JSON')).to.deep.equal({ comment_id: 'c1' });
  });
});
