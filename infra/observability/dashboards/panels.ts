/** A panel: its unit as Grafana names it, and its queries with their legends. */
export type Panel = { title: string; unit: string; queries: readonly { legend: string; expr: string }[] };

export type Dashboard = { uid: string; title: string; rows: readonly { title: string; panels: readonly Panel[] }[] };

export const panel = (title: string, unit: string, ...queries: [legend: string, expr: string][]): Panel => ({
  ...{ title, unit },
  queries: queries.map(([legend, expr]) => ({ legend, expr })),
});

/** The increase per second of a counter over the resolution of the panel, summed by labels. */
export const rate = (counter: string, by: string): string => `sum by (${by}) (rate(${counter}[$__rate_interval]))`;

/** A quantile of a histogram over the resolution of the panel. */
export const quantile = (q: number, histogram: string, by: string): string =>
  `histogram_quantile(${q}, ${rate(histogram, `${by}, le`)})`;
