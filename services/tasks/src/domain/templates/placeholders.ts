import { problem, type FieldError } from '@taskwire/errors';
import type { TemplateTask } from './template.ts';

const placeholder = /\{\{(\w{1,50})\}\}/g;

/** The lengths that the contract allows. */
const longest = { title: 200, description: 10_000 } as const;

/**
 * Replaces the placeholders in titles and descriptions by values, in one pass: a value that looks like a placeholder stays as it is.
 * @throws Problem `invalid_input` that names a missing or unknown value, or the values of a text that becomes too long.
 */
export function fillIn<T extends TemplateTask>(tasks: readonly T[], values: Readonly<Record<string, string>>): T[] {
  const all = tasks.flatMap(({ title, description }) => [title, description]);
  const named = new Set(all.flatMap((text) => [...text.matchAll(placeholder)].map(([, name]) => name ?? '')));
  const fault = (name: string, code: string, message: string) => ({ field: `values.${name}`, code, message });
  const errors: FieldError[] = [
    ...[...named]
      .filter((name) => !Object.hasOwn(values, name))
      .map((name) => fault(name, 'required', 'is required: the template has this placeholder')),
    ...Object.keys(values)
      .filter((name) => !named.has(name))
      .map((name) => fault(name, 'unknown_field', 'is not a placeholder of the template')),
  ];
  refuse(errors);
  const filled = (text: string) => text.replaceAll(placeholder, (_, name: string) => values[name] ?? '');
  return tasks.map((task, index) => {
    const texts = { title: filled(task.title), description: filled(task.description) };
    refuse(
      (['title', 'description'] as const)
        .filter((field) => texts[field].length > longest[field])
        .map((field) => ({
          field: 'values',
          code: 'too_big',
          message: `must leave the ${field} of task ${index} at most ${longest[field]} characters long`,
        })),
    );
    return { ...task, ...texts };
  });
}

function refuse(errors: readonly FieldError[]): void {
  if (errors.length === 0) return;
  const sentences = errors.slice(0, 3).map(({ field, message }) => `${field} ${message}.`);
  throw problem('invalid_input', `Invalid fields: ${sentences.join(' ')}`, { errors });
}
