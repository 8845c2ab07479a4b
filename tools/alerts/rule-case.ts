/** The values of a series in the three phases of a case: quiet, at fault, and quiet again. A counter has its increases by minute. */
export type Series = { gauge: [number | undefined, number | undefined] } | { counter: [number, number] };

/**
 * The expected behaviour of an alert: it does not fire while all is quiet, fires at the fault with these labels, and is resolved after the fault has
 * ended.
 */
export type RuleCase = {
  title: string;
  alert: string;
  series: Record<string, Series>;
  labels: Record<string, string>;
  /** The duration of the fault, and of the quiet phase after it, in minutes. */
  faultMinutes?: number;
  quietMinutes?: number;
  /** The alert must not fire at all. */
  never?: true;
};
