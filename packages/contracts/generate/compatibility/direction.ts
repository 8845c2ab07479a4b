import type { Finding } from './finding.ts';

/** The direction of a value: a request must not require more from callers, and a response must not offer them less. */
export type Direction = 'request' | 'response';

/** Compares two schemas, each within its document. */
export type Compare = (where: string, before: unknown, after: unknown, direction: Direction) => Finding[];
