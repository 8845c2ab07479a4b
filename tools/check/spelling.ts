import { output, programOf, type Step } from './step.ts';

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
    const args = ['lint', '--no-progress', '--no-summary', '--cache', '--cache-location', '.local/cspell-cache', '.'];
    const lines = (await output(process.execPath, [programOf('cspell'), ...args])).join('\n').split('\n');
    const found = lines.filter((line) => line.startsWith(`${canary}:`));
    const unreported = canaryWords.filter((word) => !found.some((line) => line.includes(`(${word})`)));
    if (unreported.length > 0)
      return [`The check of spelling did not report ${unreported.join(', ')} in ${canary}.`, ...lines];
    return lines.filter((line) => line !== '' && !found.includes(line));
  },
};
