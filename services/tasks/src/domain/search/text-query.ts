import { problem, type Problem } from '@taskwire/errors';

/** A word or, with several words, a phrase. `isPrefix`: words that begin with it match, too. */
export type Term = { text: string; isPhrase: boolean; isPrefix: boolean };

/** Matches a text that has all terms of `all` and none of `none`. */
export type Alternative = { all: readonly Term[]; none: readonly Term[] };

/** A text query in the syntax of web searches: matches a text that one of its alternatives matches. */
export type TextQuery = readonly Alternative[];

/** In characters, without hyphens; an accent is no character of its own, a vowel sign is. Shorter beginnings match too many words. */
const shortestPrefix = 3;
/** Words with other characters may consist of several words, or of syntax of the database. Marks are vowel signs and accents that follow their letter. */
const beginningOfWord = /^(?:[\p{L}\p{N}]\p{M}*)+(?:-(?:[\p{L}\p{N}]\p{M}*)+)*$/u;
/** Each term costs the database a look-up, and people don't enter more. */
const mostTerms = 20;

const tokens = /(-?)"([^"]*)"?|(\S+)/gu;

/**
 * Reads a query such as `paint "garden fence" -red or gate`. Words are combined by `and`, except around `or`. The last word may be unfinished, so it
 * is also a prefix, unless it is short, excluded, in quotes, or followed by a space, or has characters other than letters, digits and single hyphens
 * between them.
 * @throws Problem `search_too_broad` when an alternative has no word to find (the database, which also ignores markup, checks again);
 * `invalid_input` for too many words.
 */
export function readTextQuery(given: string): TextQuery {
  const found = [...given.matchAll(tokens)].map((match) => tokenOf(match, given)).filter((one) => one !== undefined);
  if (found.length > mostTerms) {
    throw problem('invalid_input', `Send at most ${mostTerms} words.`, {
      errors: [{ field: 'q', code: 'too_many_words', message: `must have at most ${mostTerms} words` }],
    });
  }
  const alternatives = split(found);
  if (alternatives.some(({ all }) => all.length === 0)) throw tooBroad();
  return alternatives;
}

/** The problem of a query with an alternative that has no word to find. */
export function tooBroad(): Problem {
  return problem('search_too_broad', 'Send a word to search for, besides those to exclude, for example q=fence -red.', {
    errors: [{ field: 'q', code: 'search_too_broad', message: 'must have a word to search for' }],
  });
}

type Token = 'or' | (Term & { isExcluded: boolean });

function tokenOf(match: RegExpExecArray, given: string): Token | undefined {
  const [whole, sign, phrase, word = ''] = match;
  if (word.toLowerCase() === 'or') return 'or';
  const isExcluded = phrase === undefined ? word.startsWith('-') : sign === '-';
  const text = (phrase ?? word.replace(/^-+/u, '')).trim();
  // punctuation alone is not in any index
  if (!/[\p{L}\p{N}]/u.test(text)) return undefined;
  const isPhrase = phrase !== undefined;
  const isLast = match.index + whole.length === given.length;
  const isPrefix =
    isLast &&
    !isPhrase &&
    !isExcluded &&
    beginningOfWord.test(text) &&
    [...text.normalize('NFC').replaceAll('-', '')].length >= shortestPrefix;
  return { text, isPhrase, isPrefix, isExcluded };
}

function split(found: readonly Token[]): Alternative[] {
  const groups: Token[][] = [[]];
  for (const token of found) {
    if (token === 'or') groups.push([]);
    else groups.at(-1)?.push(token);
  }
  // an `or` at the beginning, at the end or after another one connects nothing
  const filled = groups.filter((group) => group.length > 0);
  return (filled.length === 0 ? [[]] : filled).map((group) => {
    const terms = group.filter((token) => token !== 'or');
    const toTerms = (isExcluded: boolean) =>
      terms
        .filter((term) => term.isExcluded === isExcluded)
        .map(({ text, isPhrase, isPrefix }): Term => ({ text, isPhrase, isPrefix }));
    return { all: toTerms(false), none: toTerms(true) };
  });
}
