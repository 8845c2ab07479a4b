import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary as commonDictionary } from '@zxcvbn-ts/language-common';
import { dictionary, translations } from '@zxcvbn-ts/language-en';

/**
 * The required strength of a password: zxcvbn's score of 3, "safely unguessable: moderate protection from an offline slow-hash scenario"
 * (https://github.com/dropbox/zxcvbn#usage). This is far more than online guessing requires, at 40 guesses an hour.
 */
const minScore = 3;
/**
 * The number of a password's first characters that are rated: if these are easy to guess, the password counts as weak. The time for the estimate
 * grows at least with the square of the length, and blocks the event loop.
 */
const maxJudgedLength = 32;
/** With zxcvbn's default of 100, a password of 32 characters takes 0.2 s. With 8, it takes 0.02 s, and "P@ssw0rd" is still recognised. */
const substitutions = 8;

let estimator: ZxcvbnFactory | undefined;

/**
 * Reads the word lists, which takes 35 MB and blocks the event loop for 0.2 s. Call it before requests arrive; otherwise the first password triggers
 * it.
 */
export function readWordLists(): void {
  getEstimator();
}

function getEstimator(): ZxcvbnFactory {
  estimator ??= new ZxcvbnFactory({
    dictionary: { ...commonDictionary, ...dictionary },
    graphs: adjacencyGraphs,
    translations,
    maxLength: maxJudgedLength,
    l33tMaxSubstitutions: substitutions,
  });
  return estimator;
}

/**
 * Returns why a password is too easy to guess, and how to improve it; undefined if the password is strong enough. The following count as easy:
 * passwords from breaches (the 30,000 most frequent), words, names, dates, keyboard patterns, anything similar to these, and anything related to the
 * user.
 */
export function weaknessOf(password: string, person: { email: string; name: string }): string | undefined {
  const words = wordsOf(person);
  const judged = password.slice(0, maxJudgedLength);
  // "ann.smith2024" is no harder to guess than "annsmith2024"
  const variants = new Set([judged, judged.replaceAll(/[\s._-]+/g, '')]);
  const weak = [...variants].map((text) => getEstimator().check(text, words)).find(({ score }) => score < minScore);
  if (weak === undefined) return undefined;
  return `${weak.feedback.warning ?? 'It is too easy to guess.'} Use a longer one, such as four words that do not belong together, or have one generated.`;
}

/** Words about the user that other people know: the address and name, each as a whole, in parts, and with the parts joined. */
function wordsOf({ email, name }: { email: string; name: string }): string[] {
  const [local = '', domain = ''] = email.split('@');
  const wholes = [email, name, local, ...domain.split('.')];
  const parts = wholes.flatMap((whole) => whole.split(betweenWords));
  const words = [...wholes, ...wholes.map((whole) => whole.replaceAll(betweenWords, '')), ...parts];
  // shorter ones are part of any text
  const known = words.map((word) => word.slice(0, maxJudgedLength)).filter((word) => word.length > 2);
  return [...new Set(known)].slice(0, maxUserWords);
}

const betweenWords = /[^\p{L}\p{N}]+/gu;
/** Limits the work, because each word is compared with every part of the password. */
const maxUserWords = 30;
