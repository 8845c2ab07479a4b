import { expect } from 'chai';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { filesOf, lanesFor } from '../stages.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const stages = lanesFor('drills').flat();
const aloneIn = (isAlone: boolean) =>
  stages.filter(({ runsAlone }) => (runsAlone === true) === isAlone).flatMap((stage) => filesOf(stage, root, []));

describe('The stages of the drills', () => {
  it('contain every drill and every property exactly once', () => {
    const all = globSync('{packages,services,infra,tools,e2e}/**/{*.drill,*.e2e-drill,*.property.*}.test.ts', {
      cwd: root,
      exclude: ['**/node_modules/**'],
    });
    expect(all.length).to.be.greaterThan(40);
    const planned = stages.flatMap((stage) => filesOf(stage, root, []));
    expect(planned.filter((file) => all.includes(file)).toSorted()).to.deep.equal(all.toSorted());
    expect(new Set(planned).size).to.equal(planned.length);
  });

  it('run the tests that measure time before the others, with nothing beside them', () => {
    expect(aloneIn(true)).to.include.members([
      'services/tasks/test/jobs/held-snapshot.drill.test.ts',
      'e2e/worker.e2e-drill.test.ts',
    ]);
    expect(aloneIn(false)).to.include.members(['tools/backup/test/restore.drill.test.ts', 'e2e/faults.e2e.test.ts']);
  });
});
