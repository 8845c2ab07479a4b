import { compareReleases } from '@taskwire/postgres';
import { z } from 'zod';

/** Callers need at least three months to change: a period shorter than a quarterly release cycle would be too short for some of them. */
const noticeDays = 90;

export const acceptedSchema = z.strictObject({
  /** The release whose contracts these breaks are accepted against; the next release empties the list. */
  since: z.string(),
  breaks: z.record(
    z.string(),
    z.discriminatedUnion('kind', [
      /** The document promised something that the service never did, so no caller can depend on it. */
      z.strictObject({ kind: z.literal('correction'), reason: z.string().min(20) }),
      /** The operation was deprecated, and its sunset has passed. */
      z.strictObject({ kind: z.literal('sunset'), reason: z.string().min(20) }),
    ]),
  ),
});

/** Breaks that the next release may contain, each with its reason. */
export type AcceptedBreaks = z.infer<typeof acceptedSchema>;

export type Acceptance = {
  accepted: AcceptedBreaks;
  /** The breaks that were found. */
  breaks: readonly string[];
  /** The last recorded release. */
  base: string;
  today: Date;
  /** The `info.version` of a document in both versions. */
  versions: { before: (path: string) => string | undefined; after: (path: string) => string | undefined };
  /** Returns the dates that the last release announced for the operation that a break affects. */
  sunsetOf: (text: string) => { since: string; sunset: string } | undefined;
};

/** Returns the breaks that are not accepted, and entries that accept nothing or too much. */
export function acceptedFaults({ accepted, breaks, base, today, versions, sunsetOf }: Acceptance): string[] {
  const entries = Object.entries(accepted.breaks);
  if (accepted.since !== base) {
    const stale = `packages/contracts/accepted-breaks.json is for the release after ${accepted.since}: remove its entries, and set "since" to ${base}`;
    return [stale, ...breaks];
  }
  const raised = (text: string) => {
    const document = text.split(/[ :]/)[0] ?? '';
    const [was, is] = [versions.before(document), versions.after(document)];
    // the table of permissions has no version, and a removed document no longer has one
    return was === undefined || is === undefined || compareReleases(is, was) > 0;
  };
  return [
    ...breaks.filter((text) => !(text in accepted.breaks)),
    ...entries.filter(([text]) => !breaks.includes(text)).map(([text]) => `accepted, but not found: ${text}`),
    ...entries
      .filter(([text]) => breaks.includes(text) && !raised(text))
      .map(([text]) => `the document's info.version was not raised: ${text}`),
    ...entries.flatMap(([text, { kind }]) => (kind === 'sunset' ? sunsetFaults(text, sunsetOf(text), today) : [])),
  ];
}

function sunsetFaults(text: string, announced: { since: string; sunset: string } | undefined, today: Date): string[] {
  if (announced === undefined)
    return [`was not announced by the headers Deprecation and Sunset in the last release: ${text}`];
  const [since, sunset] = [Date.parse(announced.since), Date.parse(announced.sunset)];
  const days = (sunset - since) / (24 * 60 * 60 * 1000);
  return [
    ...(days < noticeDays ? [`its sunset is ${days} days after its deprecation, not ${noticeDays}: ${text}`] : []),
    ...(sunset > today.getTime() ? [`its sunset is on ${announced.sunset}: ${text}`] : []),
  ];
}
