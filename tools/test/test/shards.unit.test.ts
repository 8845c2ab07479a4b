import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import fc from 'fast-check';
import { lanesOfShard, parseShard, readDurations, type PlannedStage } from '../shards.ts';
import { filesOf, lanesFor, type Stage } from '../stages.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const planned = lanesFor().map((lane) => lane.map((stage) => ({ stage, files: filesOf(stage, root, []) })));
const filesIn = (lanes: readonly PlannedStage[][]) => lanes.flat().flatMap(({ files }) => files);
const shards = (count: number) => Array.from({ length: count }, (_, index) => ({ index: index + 1, count }));

const stage = (name: string, rest: Partial<Stage> = {}): Stage => ({
  name,
  pattern: '',
  needs: 'nothing',
  mochaArgs: [],
  timeoutMinutes: 1,
  ...rest,
});

describe('The shards of the tests', () => {
  it('contain every file of every stage exactly once', () => {
    const all = filesIn(planned);
    expect(all.length).to.be.above(200);
    for (const count of [1, 2, 3, 4, 7]) {
      const divided = shards(count).flatMap((shard) => filesIn(lanesOfShard(planned, shard, readDurations())));
      expect(divided.toSorted(), `${count} shards`).to.deep.equal(all.toSorted());
    }
  });

  it('contain every file exactly once, whatever the durations', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { maxLength: 30 });
    fc.assert(
      fc.property(names, fc.array(fc.nat(90_000)), fc.integer({ min: 1, max: 9 }), (files, times, count) => {
        const durations = Object.fromEntries(files.flatMap((file, at) => (times[at] ? [[file, times[at]]] : [])));
        const lanes = [[{ stage: stage('one'), files }], [{ stage: stage('two'), files: files.map((f) => `${f}2`) }]];
        const divided = shards(count).flatMap((shard) => filesIn(lanesOfShard(lanes, shard, durations)));
        expect(divided.toSorted()).to.deep.equal(filesIn(lanes).toSorted());
      }),
    );
  });

  it('take the same time within each lane, as far as the files allow', () => {
    const files = Array.from({ length: 40 }, (_, index) => `file-${index}`);
    const durations = Object.fromEntries(files.map((file, index) => [file, 1000 + 250 * index]));
    const loads = shards(4).map((shard) =>
      filesIn(lanesOfShard([[{ stage: stage('component'), files }]], shard, durations)).reduce(
        (sum, file) => sum + (durations[file] ?? 0),
        0,
      ),
    );
    expect(Math.max(...loads) - Math.min(...loads)).to.be.at.most(1000);
  });

  it('keep the order of the files in a stage, and keep files together that depend on each other', () => {
    const files = ['b.consumer', 'a.consumer', 'c.provider'];
    const lane = [{ stage: stage('pact', { isUndivided: true }), files }];
    const found = shards(3).map((shard) => filesIn(lanesOfShard([lane], shard, { 'c.provider': 9 })));
    expect(found.filter((each) => each.length > 0)).to.deep.equal([files]);
  });

  it('are accepted only in a form like 1/4', () => {
    expect(parseShard('2/4')).to.deep.equal({ index: 2, count: 4 });
    for (const text of ['0/4', '5/4', '4', '1/0', 'a/b', ''])
      expect(() => parseShard(text)).to.throw('must be like 1/4');
  });
});
