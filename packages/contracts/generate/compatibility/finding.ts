/**
 * The class of a difference: a `break` breaks callers or consumers written for the earlier document, and a `note` deserves a line in the changelog. A
 * difference without a finding does not affect callers or consumers.
 */
export type Judgement = 'break' | 'note';

/** A difference between two versions of a document. */
export type Finding = {
  judgement: Judgement;
  /** The location and the change, as `<where>: <what>`. */
  text: string;
};

export function breaking(where: string, what: string): Finding {
  return { judgement: 'break', text: `${where}: ${what}` };
}

export function note(where: string, what: string): Finding {
  return { judgement: 'note', text: `${where}: ${what}` };
}

/** The most severe judgement of the findings. */
export function judgementOf(findings: readonly Finding[]): Judgement | 'nothing' {
  if (findings.some(({ judgement }) => judgement === 'break')) return 'break';
  return findings.length > 0 ? 'note' : 'nothing';
}
