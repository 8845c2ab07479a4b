import { measureConsume } from './consume.ts';
import { measureLatency } from './latency.ts';
import { measureRelay } from './relay.ts';
import { measureWrite } from './write.ts';

/** `npm run bench -- <name>`: each prints what was measured beside its ceiling, from the same run on the same servers. */
const benchmarks: Readonly<Record<string, () => Promise<void>>> = {
  write: measureWrite,
  relay: measureRelay,
  latency: measureLatency,
  consume: measureConsume,
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in benchmarks));
if (names.length === 0 || unknown.length > 0) {
  console.error(
    `${unknown.length > 0 ? `There is no benchmark ${unknown.join(', ')}.\n` : ''}Usage: npm run bench -- ${Object.keys(benchmarks).join('|')}`,
  );
  process.exit(2);
}
for (const name of names) await benchmarks[name]?.();
process.exit(0);
