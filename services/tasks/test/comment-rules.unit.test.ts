import { expect } from 'chai';
import { revise, type Comment } from '../src/domain/comment.ts';

const comment: Comment = {
  ...{ id: 'comment', taskId: 'task', authorId: 'mia', version: 3, body: 'x <@ann>' },
  ...{ mentions: ['ann'], everMentioned: ['ben', 'ann'] },
};

describe('A new text of a comment', () => {
  it('distinguishes the users whom the old text did not mention from those whom no text ever mentioned', () => {
    const mentions = ['cas', 'ben', 'ann'];
    expect(revise(comment, { body: 'y', mentions })).to.deep.equal({
      ...{ body: 'y', mentions, added: ['cas', 'ben'], first: ['cas'] },
    });
  });

  it('is no revision if it stays the same', () => {
    expect(revise(comment, { body: comment.body, mentions: ['ann'] })).to.equal(undefined);
  });
});
