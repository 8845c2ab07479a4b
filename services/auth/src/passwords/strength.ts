import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary as commonDictionary } from '@zxcvbn-ts/language-common';
import { dictionary, translations } from '@zxcvbn-ts/language-en';

/**
 * Guesses that a password has to withstand: zxcvbn's score of 3, "safely unguessable: moderate protection from an offline slow-hash scenario"
 * (https://github.com/dropbox/zxcvbn#usage). With 40 guesses an hour at the door it is far more than is needed there.
 */
const leastScore = 3;
/** The estimate takes a time that grows with the square of the length and worse, on the event loop. What these do not make hard to guess, is weak. */
const looksAt = 32;
/** At zxcvbn's 100, a password of 32 characters takes 0.2 s. With 8, 0.02 s, and "P@ssw0rd" is seen through still. */
const substitutions = 8;

let estimator: ZxcvbnFactory | undefined;

/** Reads the word lists, which takes 35 MB and 0.2 s of the event loop: before requests come, or when the first password is judged. */
export function readWordLists(): void {
  getEstimator();
}

function getEstimator(): ZxcvbnFactory {
  estimator ??= new ZxcvbnFactory({
    dictionary: { ...commonDictionary, ...dictionary },
    graphs: adjacencyGraphs,
    translations,
    maxLength: looksAt,
    l33tMaxSubstitutions: substitutions,
  });
  return estimator;
}

/**
 * Why a password is too easy to guess, with what to do about it; undefined for one that is good enough. Known to be easy are the passwords
 * of breaches (the 30,000 that come most often), words, names, dates, keyboard patterns, what is like them, and what has to do with the person.
 */
export function weaknessOf(password: string, person: { email: string; name: string }): string | undefined {
  const words = wordsOf(person);
  const looked = password.slice(0, looksAt);
  // "ann.smith2024" is no harder than "annsmith2024"
  const looks = new Set([looked, looked.replaceAll(/[\s._-]+/g, '')]);
  const weak = [...looks].map((text) => getEstimator().check(text, words)).find(({ score }) => score < leastScore);
  if (weak === undefined) return undefined;
  return `${weak.feedback.warning ?? 'It is too easy to guess.'} Use a longer one, such as four words that do not belong together, or have one generated.`;
}

/** What others know of somebody: their address and name; whole, in parts, and with the parts run together. */
function wordsOf({ email, name }: { email: string; name: string }): string[] {
  const [local = '', domain = ''] = email.split('@');
  const wholes = [email, name, local, ...domain.split('.')];
  const parts = wholes.flatMap((whole) => whole.split(betweenWords));
  const words = [...wholes, ...wholes.map((whole) => whole.replaceAll(betweenWords, '')), ...parts];
  // shorter ones are parts of anything
  const known = words.map((word) => word.slice(0, looksAt)).filter((word) => word.length > 2);
  return [...new Set(known)].slice(0, mostWords);
}

const betweenWords = /[^\p{L}\p{N}]+/gu;
/** Each is compared with every part of the password. */
const mostWords = 30;
