/** How many reports of one kind of error are sent in a minute: an outage makes thousands of requests fail in the same way. */
const perMinuteAlike = 5;
/** How many reports are sent in a minute in total. */
const perMinute = 60;
const minuteMs = 60_000;

/** Returns a function that decides whether a report may be sent. `alike` is the same for errors of the same kind at the same place. */
export function createReportLimit(now: () => number = () => performance.now()): (alike: string) => boolean {
  let minute = -Infinity;
  let total = 0;
  let counts = new Map<string, number>();

  return (alike) => {
    if (now() - minute >= minuteMs) {
      minute = now();
      total = 0;
      counts = new Map();
    }
    const count = counts.get(alike) ?? 0;
    if (total >= perMinute || count >= perMinuteAlike) return false;
    total += 1;
    counts.set(alike, count + 1);
    return true;
  };
}
