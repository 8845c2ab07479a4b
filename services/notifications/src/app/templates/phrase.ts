/** What a person wrote: a name, a title. Only the layout of a channel makes text of it, so that no template can forget what that takes. */
export type Written = { readonly written: string };

/** Words of a template, with what people wrote in between. */
export type Phrase = string | Written | readonly Phrase[];

export function written(text: string): Written {
  return { written: text };
}

/** A sentence: say`${actor} completed ${title}.` */
export function say(words: TemplateStringsArray, ...inserted: readonly Phrase[]): Phrase {
  return words.flatMap((word, i) => [word, inserted[i] ?? '']);
}

/** The phrase in one string, with `render` for what people wrote, and `words` for the rest. */
export function render(
  phrase: Phrase,
  { words, written: people }: { words: (text: string) => string; written: (text: string) => string },
): string {
  if (typeof phrase === 'string') return words(phrase);
  if ('written' in phrase) return people(phrase.written);
  return phrase.map((part) => render(part, { words, written: people })).join('');
}

/** The phrase with what people wrote as they wrote it, for clients that treat it as text. */
export function plain(phrase: Phrase): string {
  return render(phrase, { words: (text) => text, written: (text) => text });
}
