import type { Route } from '@taskwire/contracts';
import { problem, type FieldError } from '@taskwire/errors';
import { z } from 'zod';
import { faultOf, isMissing, isUnknownChoice, noForm } from './input-faults.ts';

/** The maximum number of faults in one response; a hostile body must not produce a huge response. */
const mostErrors = 50;
/** The maximum number of faults in the detail, which is read by people, who fix a few faults at a time. */
const mostInDetail = 3;
const mostNames = 5;

/** The query of a route that has no parameters, and the object that callers may send to a route without a body. */
export const nothing = z.strictObject({});

/**
 * Parses one part of a request. `fieldHints` describes the alternatives to fields that the schema does not have.
 * @throws Problem `invalid_input` that names every invalid field and its requirement, without repeating the value sent.
 */
export function parseInput<S extends z.ZodType>(
  schema: S,
  input: unknown,
  fieldHints: Readonly<Record<string, string>> = {},
): z.output<S> {
  const result = schema.safeParse(input, { error: faultOf });
  if (result.success) return result.data;
  const all = Iterator.from(result.error.issues).flatMap((issue) => toFieldErrors(issue, fieldHints));
  const errors = withoutConsequences(all.take(mostErrors).toArray());
  throw problem('invalid_input', `Invalid fields: ${namesOf(errors)}. ${sentencesOf(errors)}`, { errors });
}

/** Parses the body of a request. @throws Problem `invalid_input`. */
export function parseBody({ body: schema, optionalBody, fieldHints }: Route, body: unknown): unknown {
  if (schema === undefined || (optionalBody === true && body === undefined)) return undefined;
  return parseInput(schema, body, fieldHints);
}

function namesOf(errors: readonly FieldError[]): string {
  return [...new Set(errors.map(nameOf))].slice(0, mostNames).join(', ');
}

function sentencesOf(errors: readonly FieldError[]): string {
  const known = errors.filter(({ message }) => message !== unknownField);
  const sentences = known.slice(0, mostInDetail).map((error) => `${nameOf(error)} ${error.message}.`);
  if (known.length < errors.length) sentences.push('Unknown fields are not accepted.');
  if (known.length > mostInDetail) sentences.push('`errors` lists all faults.');
  return sentences.join(' ');
}

function nameOf({ field }: FieldError): string {
  return field || 'the body';
}

/**
 * Removes faults that follow from others: a value of the wrong type breaks other rules too, and a body with only invalid fields may be reported as
 * empty ("must have a field to change").
 */
function withoutConsequences(errors: readonly FieldError[]): FieldError[] {
  const isMistyped = new Set(errors.flatMap(({ field, code }) => (code === 'invalid_type' ? [field] : [])));
  const causes = errors.filter(({ field, code }) => code === 'invalid_type' || !isMistyped.has(field));
  const named = causes.filter(({ field }) => field !== '');
  return named.length > 0 ? named : causes;
}

function toFieldErrors(issue: z.core.$ZodIssue, fieldHints: Readonly<Record<string, string>>): FieldError[] {
  const path = issue.path.map((part) => String(part).slice(0, 100));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, mostErrors).map((key) => ({
      field: [...path, key.slice(0, 100)].join('.'),
      code: 'unknown_field',
      message:
        (path.length === 0 ? Object.entries(fieldHints).find(([name]) => name === key)?.[1] : undefined) ??
        unknownField,
    }));
  }
  if (issue.code === 'invalid_union') {
    const meant = faultsOfForm(issue);
    if (meant.length > 0)
      return meant.flatMap((inner) => toFieldErrors({ ...inner, path: [...issue.path, ...inner.path] }, fieldHints));
  }
  return [{ field: path.join('.'), code: codeOf(issue), message: issue.message }];
}

/**
 * Returns the faults of the form that the caller meant, for a value with several accepted forms; none if that cannot be known. It is the only form
 * with exactly the fields that the caller sent. Otherwise, for the body and for a value that the schema does not describe, it is most likely the form
 * with the fewest faults, unless the caller sent none of its fields.
 */
function faultsOfForm({ errors, path, message }: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] {
  const [form, ...others] = errors.filter((faults) => faults.length > 0 && !faults.some(isOfForm));
  if (form !== undefined && others.length === 0) return form;
  if (path.length > 0 && message !== noForm) return [];
  const closest = errors.toSorted((a, b) => a.length - b.length)[0] ?? [];
  return closest.filter((inner) => message === noForm || !isMissing(inner));
}

/** Whether a fault says that a value does not have a form: it is no object, or has other fields. */
function isOfForm(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 || (issue.path.length === 1 && isMissing(issue));
}

const unknownField = 'is not a field of this request';

/**
 * A rule defined by the contract may specify its code as `params: { code }`; zod's own rules have zod's codes, except for those that say nothing to a
 * program.
 */
function codeOf(issue: z.core.$ZodIssue): string {
  const code: unknown = issue.code === 'custom' ? issue.params?.['code'] : undefined;
  if (typeof code === 'string') return code;
  return issue.code === 'custom' || isUnknownChoice(issue) ? 'invalid_value' : issue.code;
}
