/** A length of time: calendar days, and seconds within a day or beyond. */
type Duration = { days: number; seconds: number };

const pattern = /^P(?=.)(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?$/;

/** Parses an ISO 8601 duration of weeks, days, hours, minutes and seconds, without fractions. Undefined for any other text. */
export function parseDuration(text: string): Duration | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [weeks, days, hours, minutes, seconds] = match.slice(1).map((digits) => Number(digits ?? 0));
  return {
    days: (weeks ?? 0) * 7 + (days ?? 0),
    seconds: (hours ?? 0) * 3_600 + (minutes ?? 0) * 60 + (seconds ?? 0),
  };
}

/** The length in seconds, with days of 24 hours. */
export function totalSeconds({ days, seconds }: Duration): number {
  return days * 86_400 + seconds;
}

/** The instant that is this much later in a zone: days are calendar days, so their time of day stays the same when the clocks change. */
export function addInZone(at: number, { days, seconds }: Duration, zone: string): number {
  const start = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
  return start.add({ days }).epochMilliseconds + seconds * 1_000;
}
