import { expect } from 'chai';
import { readArguments } from '../arguments.ts';

describe('the arguments of a chaos run', () => {
  it('default to two minutes and a new seed', () => {
    const [one, other] = [readArguments([]), readArguments([])];
    expect(one).include({ minutes: 2, replicas: 2, traffic: 'all', keep: false });
    expect(one)
      .property('seed')
      .not.equal((other as { seed: string }).seed);
  });

  it('name any number of bugs', () => {
    expect(readArguments([])).property('planted').deep.equal([]);
    const several = readArguments(['--bug', 'unblocked-twice', '--bug', 'blocked-tasks-start']);
    expect(several).property('planted').deep.equal(['unblocked-twice', 'blocked-tasks-start']);
  });

  it('are refused with the reason', () => {
    for (const args of [
      ['--minutes', 'x'],
      ['--minutes', '0'],
      ['--seed', 'a/b'],
      ['--bug', 'nope'],
      ['--replicas', '3'],
      ['--traffic', 'x'],
      ['--foo'],
    ])
      expect(readArguments(args), args.join(' ')).instanceOf(Error);
  });
});
