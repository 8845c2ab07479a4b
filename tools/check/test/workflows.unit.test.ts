import { expect } from 'chai';
import { workflowFaults, workflowsStep } from '../workflows.ts';

const commit = '0123456789abcdef0123456789abcdef01234567';
const sound = `
permissions: { contents: read }
jobs:
  check:
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@${commit}
        with: { fetch-depth: 0, persist-credentials: false }
      - run: npm run check
`;
const faultsOf = (text: string) => workflowFaults(text, new Set(['check']));

describe('The check of workflows', () => {
  it('finds nothing in the workflows of the repository', async () => {
    expect(await workflowsStep.faults()).to.deep.equal([]);
  });

  it('finds nothing in a sound workflow', () => {
    expect(faultsOf(sound)).to.deep.equal([]);
  });

  const broken: [string, string, string][] = [
    [`@${commit}`, '@v7', 'is not pinned to a commit'],
    [`@${commit}`, `@${commit.slice(1)}`, 'is not pinned to a commit'],
    ['fetch-depth: 0, ', '', 'lacks the commits of releases'],
    ['fetch-depth: 0', 'fetch-depth: 1', 'lacks the commits of releases'],
    [', persist-credentials: false', '', 'leaves its token'],
    ['    timeout-minutes: 5\n', '', 'has no timeout-minutes'],
    ['permissions: { contents: read }', '', 'its permissions'],
    ['permissions: { contents: read }', 'permissions: write-all', 'its permissions'],
    ['contents: read', 'contents: write', 'its permissions'],
    ['    timeout-minutes: 5', '    timeout-minutes: 5\n    permissions: write-all', 'has all permissions of a kind'],
    ['npm run check', 'npm run nothing', 'there is no npm script nothing'],
    ['npm run check', 'npm run check -- ${{ github.event.issue.title }}', 'an expression of the event'],
    ['npm run check', 'npm run check -- ${{ inputs.release }}', 'an expression of the event'],
  ];
  for (const [found, replacement, fault] of broken) {
    it(`refuses ${JSON.stringify(replacement)} instead of ${JSON.stringify(found)} (canary)`, () => {
      const text = sound.replace(found, replacement);
      expect(text).to.not.equal(sound);
      const faults = faultsOf(text);
      expect(faults).to.have.lengthOf(1);
      expect(faults[0]).to.include(fault);
    });
  }
});
