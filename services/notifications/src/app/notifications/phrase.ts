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

/** Converts a phrase to a string: `userWritten` renders the user-written parts, and `literal` the rest. */
export function render(
  phrase: Phrase,
  { literal, userWritten }: { literal: (text: string) => string; userWritten: (text: string) => string },
): string {
  if (typeof phrase === 'string') return literal(phrase);
  if ('written' in phrase) return userWritten(phrase.written);
  return phrase.map((part) => render(part, { literal, userWritten })).join('');
}

/** Returns the phrase with user-written parts unchanged, for clients that treat it as plain text. */
export function plain(phrase: Phrase): string {
  return render(phrase, { literal: (text) => text, userWritten: (text) => text });
}
