// Loaded into a service with --import: patches deliberate bugs into the product's source text as it is loaded.
import { registerHooks } from 'node:module';
import { bugs, type BugName } from '../bugs.ts';

const root = new URL('../../../', import.meta.url).href;
const names = process.env['TASKWIRE_CHAOS_BUGS']?.split(',') as BugName[];
const patches = names.flatMap((name) => bugs[name].patches.map((patch) => ({ name, ...patch })));

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const wanted = patches.filter(({ file }) => url === root + file);
    if (wanted.length === 0) return loaded;
    let source = String(loaded.source);
    for (const { name, file, find, put } of wanted) {
      if (source.split(find).length !== 2)
        throw new Error(`The text that the bug ${name} replaces does not occur exactly once in ${file}.`);
      source = source.replace(find, () => put);
    }
    return { ...loaded, source };
  },
});
