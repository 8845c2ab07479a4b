import type { z } from 'zod';

/**
 * Returns the requirement on a value, as the end of a sentence that begins with the name of its field, for schema rules that have no message. Never
 * repeats the value.
 */
export function faultOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return ofType(issue.expected, issue.input);
    case 'invalid_value':
      return ofChoice(issue.values, issue.input);
    case 'too_small':
      return issue.origin === 'string' && issue.minimum === 1 ? 'must not be empty' : `must ${least(issue)}`;
    case 'too_big':
      return `must ${most(issue)}`;
    case 'invalid_format':
      return formats[issue.format];
    case 'invalid_union':
      if (isUnknownChoice(issue)) return ofChoice(issue.options, valueOf(issue.input, issue.discriminator));
      return Array.isArray(issue.input) ? 'must be one value, given once' : noForm;
    default:
      return undefined;
  }
}

/** The message for a value with several accepted forms, if the schema does not describe them together. */
export const noForm = 'has none of the accepted forms';

type UnknownChoice = { options: readonly unknown[]; discriminator: string };

/** Whether the fault is the value of the field that chooses between the accepted forms. */
export function isUnknownChoice<T extends object>(issue: T): issue is T & UnknownChoice {
  return 'options' in issue && Array.isArray(issue.options) && 'discriminator' in issue;
}

function valueOf(input: unknown, field: string): unknown {
  return Object.entries(input ?? {}).find(([name]) => name === field)?.[1];
}

/** Whether the fault is that the field was not sent. */
export function isMissing({ message }: z.core.$ZodIssue): boolean {
  return message.startsWith(required);
}

const required = 'is required: ';

const formats: Readonly<Record<string, string>> = {
  guid: 'must be a UUID, for example 019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e',
  datetime: 'must be an instant in UTC, for example 2026-11-28T12:00:00Z',
};

const types: Readonly<Record<string, string>> = {
  object: 'a JSON object',
  record: 'a JSON object',
  array: 'a list, for example ["first", "second"]',
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

function ofType(expected: string, input: unknown): string {
  // a repeated query parameter results in a list where a string is expected
  if (expected === 'string' && Array.isArray(input)) return 'must be one string, given once';
  const wanted = types[expected] ?? `of type ${expected}`;
  return input === undefined ? `${required}${wanted}` : `must be ${wanted}`;
}

function ofChoice(values: readonly unknown[], input: unknown): string {
  if (input === undefined) return `${required}${choice(values)}`;
  return `must be ${choice(values)}${Array.isArray(input) ? ', given once' : ''}`;
}

function choice(values: readonly unknown[]): string {
  const shown = values.map((value) => JSON.stringify(value));
  return shown.length === 1 ? `${shown[0]}` : `one of ${shown.join(', ')}`;
}

type Bound = { origin: string; inclusive?: boolean };

function least({ origin, minimum, inclusive }: Bound & { minimum: number | bigint }): string {
  if (isCounted(origin)) return `have at least ${counted(minimum, origin)}`;
  return inclusive === false ? `be greater than ${minimum}` : `be at least ${minimum}`;
}

function most({ origin, maximum, inclusive }: Bound & { maximum: number | bigint }): string {
  if (isCounted(origin)) return `have at most ${counted(maximum, origin)}`;
  return inclusive === false ? `be less than ${maximum}` : `be at most ${maximum}`;
}

function isCounted(origin: string): boolean {
  return origin === 'string' || origin === 'array';
}

function counted(count: number | bigint, origin: string): string {
  const unit = origin === 'string' ? 'character' : 'entr';
  const [one, many] = origin === 'string' ? ['', 's'] : ['y', 'ies'];
  return `${count} ${unit}${Number(count) === 1 ? one : many}`;
}
