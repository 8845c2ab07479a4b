// npm run release -- <version>
import { fileURLToPath } from 'node:url';
import { errorText } from '@taskwire/errors';
import { makeRelease } from './make-release.ts';

try {
  console.log(makeRelease(fileURLToPath(new URL('../../', import.meta.url)), process.argv.slice(2), new Date()));
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}
