import { expect } from 'chai';
import { errorText, problem, problemTypes } from '../src/index.ts';

describe('a problem', () => {
  it('has the status and title of its code', () => {
    const p = problem('email_taken');
    expect([p.status, p.title]).to.deep.equal([409, problemTypes.email_taken.title]);
  });

  it('has a detail even when none is given', () => {
    expect(problem('forbidden').detail).to.equal("You don't have permission to do this.");
  });
});

describe('the text of an error', () => {
  it('is one line with the chain of causes', () => {
    const error = new Error('outer\nline', { cause: new TypeError('inner') });
    expect(errorText(error)).to.equal('Error: outer line < TypeError: inner');
  });

  it('names each error of an aggregate without a message', () => {
    expect(errorText(new AggregateError([new Error('a'), new Error('b')]))).to.equal('Error: a; Error: b');
  });

  it('is finite when an error causes itself', () => {
    const error = new Error('loop');
    error.cause = error;
    expect(errorText(error)).to.match(/^Error: loop( < Error: loop){4}$/);
  });
});
