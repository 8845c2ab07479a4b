import { expect } from 'chai';
import { tasksRoutes } from '../src/index.ts';

describe('The filter of tasks by assignee', () => {
  const { query } = tasksRoutes.listTasks;
  const messageOf = (assignee: unknown) => query.safeParse({ assignee }).error?.issues[0]?.message;
  const sentence = 'must be the id of a user, me for the caller, or none for unassigned tasks';

  it('says which values it accepts', () => {
    expect(messageOf('ann')).to.equal(sentence);
    expect(messageOf('me')).to.equal(undefined);
  });

  it('says that it is given once when it is repeated, as the other parameters do', () => {
    expect(messageOf(['me', 'none'])).to.equal(`${sentence}, given once`);
  });
});
