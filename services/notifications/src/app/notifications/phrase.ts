/**
 * User-written text: a name, a title. Only the layout of a channel converts it to a string, so that no template can
 * forget to make it safe.
 */
export type Written = { readonly written: string };

/** Template text with user-written parts in between. */
export type Phrase = string | Written | readonly Phrase[];

export function written(text: string): Written {
  return { written: text };
}

/** Builds a sentence: say`${actor} completed ${title}.` */
export function say(words: TemplateStringsArray, ...inserted: readonly Phrase[]): Phrase {
  return words.flatMap((word, i) => [word, inserted[i] ?? '']);
}

/** Converts a phrase to a string: `written` renders the user-written parts, and `words` the rest. */
export function render(
  phrase: Phrase,
  { words, written: people }: { words: (text: string) => string; written: (text: string) => string },
): string {
  if (typeof phrase === 'string') return words(phrase);
  if ('written' in phrase) return people(phrase.written);
  return phrase.map((part) => render(part, { words, written: people })).join('');
}

/** Returns the phrase with user-written parts unchanged, for clients that treat it as plain text. */
export function plain(phrase: Phrase): string {
  return render(phrase, { words: (text) => text, written: (text) => text });
}
