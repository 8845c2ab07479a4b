/** A line of a result: the name of the measurement, its value, and its share of the ceiling, if one was measured. */
export type Figure = { what: string; value: string; ratio?: number };

/** Prints results as a table. Only ratios, not absolute figures, are comparable between machines. */
export function printFigures(title: string, figures: readonly Figure[]): void {
  const width = Math.max(...figures.map(({ what }) => what.length));
  const values = Math.max(...figures.map(({ value }) => value.length));
  console.log(`\n${title}`);
  for (const { what, value, ratio } of figures) {
    const share = ratio === undefined ? '' : `   ${ratio.toFixed(2)} of the ceiling`;
    console.log(`  ${what.padEnd(width)}  ${value.padStart(values)}${share}`);
  }
}

/** Formats a rate, rounded to whole numbers. */
export function perSecond(rate: number, unit: string): string {
  return `${Math.round(rate).toLocaleString('en-US')} ${unit}/s`;
}

/** A rate in events per second, with its share of the ceiling. */
export function against(ceiling: number, rate: number): Pick<Figure, 'value' | 'ratio'> {
  return { value: perSecond(rate, 'events'), ratio: rate / ceiling };
}

/** The value that this share of the samples does not exceed. The samples need not be sorted. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** The median of several runs, since a single run on a shared machine says little. */
export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

/**
 * The median of samples, and the narrowest range between two of them that contains the true median with a probability of 95 % or more, whatever the
 * distribution of the samples is. Needs at least six.
 */
export function medianWithin(samples: readonly number[]): { median: number; from: number; to: number } {
  const sorted = samples.toSorted((a, b) => a - b);
  const { length: n } = sorted;
  // the probability that at most `place` of n samples are below the median: a binomial distribution
  let probability = 0.5 ** n;
  let [place, outside] = [0, probability];
  while (place < n / 2) {
    probability *= (n - place) / (place + 1);
    if (outside + probability > 0.025) break;
    place += 1;
    outside += probability;
  }
  return { median: median(sorted), from: sorted[place] ?? Number.NaN, to: sorted[n - 1 - place] ?? Number.NaN };
}
