/**
 * Makes text storable in PostgreSQL: without NUL, and without unpaired surrogates, which jsonb rejects (truncating an error message may split a
 * pair). The length is bounded, because longer texts are of no use.
 */
export function storable(text: string, maxLength?: number): string;
export function storable(text: string | undefined): string | undefined;
export function storable(text: string | undefined, maxLength = 2_000): string | undefined {
  return text?.replaceAll('\0', '\uFFFD').slice(0, maxLength).toWellFormed();
}
