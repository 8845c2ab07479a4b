import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { root } from '../step.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe('The page about pacts', () => {
  it('lists the states of each provider, and no others', () => {
    for (const provider of ['auth', 'tasks']) {
      const source = read(`services/${provider}/test/provider.pact.test.ts`);
      const handled = [...source.matchAll(/^ +'([^']+)': (?:async )?\(/gm)].map(([, name]) => name ?? '');
      const rows = [...read('docs/pact.md').matchAll(new RegExp(`^\\| ${provider} +\\| (.*?) +\\|$`, 'gm'))];
      const states = handled.filter((name) => !name.startsWith('an event '));
      expect(states.length, provider).to.be.at.least(3);
      expect(rows.map(([, state]) => state)).to.have.members(states);
    }
  });
});
