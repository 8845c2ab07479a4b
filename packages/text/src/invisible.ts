/**
 * Invisible characters: Unicode's default-ignorable ones, including the fillers among its letters, plus the blank Braille pattern and the null
 * notehead.
 * https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
 */
const invisible = String.raw`\p{Default_Ignorable_Code_Point}\u2800\u{1d159}`;
/** Embeddings, overrides, isolates and marks for the bidirectional algorithm (UAX 9). */
const directions = String.raw`\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069`;

/**
 * Contexts in which a script requires an invisible character: a joiner or non-joiner between letters of scripts that need one (Persian, Sinhala and
 * others; never Latin, Greek, Cyrillic), a variation selector after the character that it modifies (Japanese names), a joiner in an emoji.
 */
const western = String.raw`\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}`;
const nonWesternLetter = String.raw`(?![${western}])[\p{L}\p{M}]`;
const selectors = String.raw`[\ufe00-\ufe0f\u{e0100}-\u{e01ef}\u180b-\u180d\u180f]`;
const needed = [
  String.raw`(?<=${nonWesternLetter})[\u200c\u200d](?=${nonWesternLetter})`,
  String.raw`(?<=[\p{L}\p{M}\p{N}\p{S}\p{P}])(?<!\p{Default_Ignorable_Code_Point})${selectors}`,
  String.raw`(?<=\p{Extended_Pictographic}\ufe0f?|\p{Emoji_Modifier})\u200d(?=\p{Extended_Pictographic})`,
].join('|');

const anyBlank = new RegExp(String.raw`[${invisible}\p{Z}\p{C}]`, 'gu');
const anyHidden = new RegExp(String.raw`(${needed})|[${invisible}${directions}\p{Cc}\p{Cs}\p{Zl}\p{Zp}]`, 'gu');
const anyInvisible = new RegExp(String.raw`(${needed})|[${invisible}${directions}]`, 'gu');

/**
 * Whether a single-line text contains a character that is invisible, breaks the line, or changes the direction of the following text. Joiners and
 * variation selectors are allowed where the spelling of a word requires them.
 */
export function hasHiddenCharacter(text: string): boolean {
  return text.replaceAll(anyHidden, keepNeeded) !== text;
}

/** Whether a text contains any visible character. */
export function hasVisibleCharacter(text: string): boolean {
  return text.replaceAll(anyBlank, '') !== '';
}

/** Returns the text without invisible characters and without characters that change its direction, except those that a script requires. */
export function withoutInvisible(text: string): string {
  return text.replaceAll(anyInvisible, keepNeeded);
}

/**
 * Returns a key that is equal for two short texts if they look the same: characters with two encodings (é) are normalized (NFC), and invisible
 * characters are ignored. Differences in case and between look-alike characters remain.
 */
export function readingKey(text: string): string {
  return withoutInvisible(text.normalize('NFC')).trim();
}

function keepNeeded(_match: string, needed: string | undefined): string {
  return needed ?? '';
}
