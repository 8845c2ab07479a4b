import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { output, programOf, root, type Step } from './step.ts';

/** The files to check, as cspell.json has them. */
const patterns = ['ts', 'mts', 'mjs', 'md', 'sql', 'yaml', 'yml', 'html', 'template', 'sh'].map((name) => `*.${name}`);

/** A text with a misspelt word and a flagged one. If the check does not report both, it checks nothing. */
const canary = 'tools/check/spelling-canary.md';
const canaryWords = ['recieve', 'whilst']; // cspell:disable-line

/**
 * Checks the spelling of names, comments, texts and documents, and refuses the words that cspell.json flags, which CONTRIBUTING.md asks to avoid.
 * Correct words that the dictionaries lack are in tools/check/words.txt.
 */
export const spellingStep: Step = {
  name: 'spelling and flagged words (canary)',
  async faults() {
    const args = [
      ...['lint', '--no-progress', '--no-summary', '--no-gitignore', '--file-list', listFiles()],
      ...['--cache', '--cache-location', '.local/cspell-cache'],
    ];
    const lines = (await output(process.execPath, [programOf('cspell'), ...args])).join('\n').split('\n');
    const found = lines.filter((line) => line.startsWith(`${canary}:`));
    const unreported = canaryWords.filter((word) => !found.some((line) => line.includes(`(${word})`)));
    if (unreported.length > 0)
      return [`The check of spelling did not report ${unreported.join(', ')} in ${canary}.`, ...lines];
    return lines.filter((line) => line !== '' && !found.includes(line));
  },
};

/** Writes the list of files that Git tracks or would track, which saves cspell a fifth of its time, because it need not search for them. */
function listFiles(): string {
  const list = join(root, '.local/check/spelling-files');
  const files = execFileSync(
    'git',
    ['ls-files', '-z', '-co', '--exclude-standard', '--', ...patterns, '.env.example'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  mkdirSync(join(root, '.local/check'), { recursive: true });
  const paths = files.split('\0').filter((file) => file !== '');
  writeFileSync(
    list,
    paths
      .map((file) => join(root, file))
      .filter(existsSync)
      .join('\n'),
  );
  return list;
}
