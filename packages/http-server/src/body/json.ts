import { problem } from '@taskwire/errors';

/** The contracts have three levels of nesting; no legitimate request has more than sixteen. */
const deepestNesting = 16;
/**
 * The largest request of a contract has about 30 values. Validation and error reports cost about a microsecond for each value, so a body with this
 * number of values takes about a millisecond.
 */
const usualValues = 1_000;

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const opening = new Set([0x5b, 0x7b]);
const closing = new Set([0x5d, 0x7d]);

/**
 * Parses JSON text after checking its nesting and number of values, before building any values.
 * @throws Problem `malformed_json`; `invalid_input` for JSON that is nested too deep or has too many values.
 */
export function parseJson(text: string, mostValues = usualValues): unknown {
  const { isBalanced, depth, values } = outline(text);
  if (isBalanced && depth > deepestNesting) {
    throw refusal('too_deep', `must not be nested deeper than ${deepestNesting} levels`);
  }
  if (isBalanced && values > mostValues) {
    throw refusal('too_many_values', `must not have more than ${mostValues} values`);
  }
  if (!isBalanced) throw malformed();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw malformed(error);
  }
  // only an escape can produce half of a surrogate pair, because the text itself was decoded from UTF-8
  if (/\\u[dD][89a-fA-F]/.test(text)) requireWellFormed(value, []);
  return value;
}

/** Half of a surrogate pair is not a character; PostgreSQL rejects it, and replacing it would change the input. */
function requireWellFormed(value: unknown, path: readonly string[]): void {
  if (typeof value === 'string') {
    if (value.isWellFormed()) return;
    const field = path.join('.');
    const message = 'must not have an unpaired surrogate (\\ud800 to \\udfff)';
    throw problem('invalid_input', `Invalid fields: ${field || 'the body'}. ${field || 'the body'} ${message}.`, {
      errors: [{ field, code: 'unpaired_surrogate', message }],
    });
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [name, part] of Object.entries(value)) {
    requireWellFormed(name, path);
    requireWellFormed(part, [...path, name.toWellFormed().slice(0, 100)]);
  }
}

function refusal(code: string, message: string): Error {
  return problem('invalid_input', `The body ${message}.`, { errors: [{ field: '', code, message }] });
}

function malformed(cause?: unknown): Error {
  return problem('malformed_json', 'The body cannot be parsed as JSON.', { cause });
}

/**
 * Derives the shape of a JSON text from its punctuation. Every value but the first follows a comma or an opening bracket, so counting these counts
 * the values (an empty array counts as one too many). Unbalanced text is not JSON.
 */
function outline(text: string): { isBalanced: boolean; depth: number; values: number } {
  let [open, depth, values] = [0, 0, 1];
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === quote) {
      at = endOfString(text, at + 1);
    } else if (character === comma) {
      values++;
    } else if (opening.has(character)) {
      values++;
      depth = Math.max(depth, ++open);
    } else if (closing.has(character) && --open < 0) {
      break;
    }
  }
  return { isBalanced: open === 0, depth, values };
}

/** The index of the closing quote of the string that begins at `start`, or the end of the text if there is no closing quote. */
function endOfString(text: string, start: number): number {
  let at = start;
  while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
  return at;
}
