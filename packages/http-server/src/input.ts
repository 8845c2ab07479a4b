import { problem, type FieldError } from '@taskwire/errors';
import type { z } from 'zod';

/** How many faults one answer lists; a hostile body must not become a huge answer. */
const mostErrors = 50;

/**
 * Parses one part of a request. @throws Problem `invalid_input` that names every field at fault, without repeating what was sent.
 */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const errors = Iterator.from(result.error.issues).flatMap(toFieldErrors).take(mostErrors).toArray();
  const fields = [...new Set(errors.map((error) => error.field || 'the body'))].slice(0, 5);
  throw problem('invalid_input', `Not acceptable: ${fields.join(', ')}.`, { errors });
}

function toFieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const path = issue.path.map((part) => String(part).slice(0, 100));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, mostErrors).map((key) => ({
      field: [...path, key.slice(0, 100)].join('.'),
      code: 'unknown_field',
      message: 'is not a field of this request',
    }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // the branch with the fewest faults is what the caller most likely meant
    const closest = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? [];
    return closest.flatMap((inner) => toFieldErrors({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  return [
    { field: path.join('.'), code: codeOf(issue), message: isRepeated(issue) ? 'must be given once' : issue.message },
  ];
}

/** A query parameter that comes more than once is an array where a text is expected. */
function isRepeated(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' && issue.message.endsWith('received array');
}

/** A rule of a contract names its own code, as `params: { code }`; zod's rules have zod's. */
function codeOf(issue: z.core.$ZodIssue): string {
  const code: unknown = issue.code === 'custom' ? issue.params?.['code'] : undefined;
  return typeof code === 'string' ? code : issue.code;
}
