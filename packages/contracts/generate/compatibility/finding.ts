/**
 * The judgement of a difference: a `break` fails callers or consumers written for the earlier document, a `note` is worth a line in the changelog.
 * A difference without a finding means nothing to them.
 */
export type Judgement = 'break' | 'note';

/** A difference between two versions of a document. */
export type Finding = {
  judgement: Judgement;
  /** The place and the change, as `<where>: <what>`. */
  text: string;
};

export function breaking(where: string, what: string): Finding {
  return { judgement: 'break', text: `${where}: ${what}` };
}

export function note(where: string, what: string): Finding {
  return { judgement: 'note', text: `${where}: ${what}` };
}

/** The gravest judgement of the findings. */
export function judgementOf(findings: readonly Finding[]): Judgement | 'nothing' {
  if (findings.some(({ judgement }) => judgement === 'break')) return 'break';
  return findings.length > 0 ? 'note' : 'nothing';
}
