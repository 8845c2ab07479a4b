import { expect } from 'chai';
import { errorText, problem, problemTypes } from '../src/index.ts';

describe('A problem', () => {
  it('carries the status and title of its code', () => {
    const p = problem('email_taken');
    expect([p.status, p.title]).to.deep.equal([409, problemTypes.email_taken.title]);
  });

  it('has a detail even when none was given', () => {
    expect(problem('forbidden').detail).to.equal("You don't have permission to do this.");
  });
});

describe('The text of an error', () => {
  it('is one line with the chain of causes', () => {
    const error = new Error('outer\nline', { cause: new TypeError('inner') });
    expect(errorText(error)).to.equal('Error: outer line < TypeError: inner');
  });

  it('names each part of an aggregate without a message of its own', () => {
    expect(errorText(new AggregateError([new Error('a'), new Error('b')]))).to.equal('Error: a; Error: b');
  });

  it('ends when an error causes itself', () => {
    const error = new Error('loop');
    error.cause = error;
    expect(errorText(error)).to.match(/^Error: loop( < Error: loop){4}$/);
  });
});
