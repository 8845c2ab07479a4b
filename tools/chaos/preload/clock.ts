// Loaded into a service with --import: moves its wall clock by the number of milliseconds in the file. The monotonic clock, and with it every timer,
// is unchanged, as when an administrator sets a machine's time.
import { readFileSync } from 'node:fs';

const file = process.env['TASKWIRE_CHAOS_CLOCK_FILE'];
if (file === undefined) throw new Error('TASKWIRE_CHAOS_CLOCK_FILE is not set.');
let offsetMs = 0;
read(file);
// often enough for a jump to take effect while other requests are still in flight
setInterval(() => read(file), 250).unref();

const trueNow = Date.now.bind(Date);
const now = () => trueNow() + offsetMs;
Date.now = now;

// the prototype stays the same, so `instanceof Date` is true for every date
const moved: DateConstructor = new Proxy(Date, {
  construct: (target, parts: unknown[], made) =>
    Reflect.construct(target, parts.length === 0 ? [now()] : parts, made === moved ? target : made) as Date,
  apply: () => new Date(now()).toString(),
});
globalThis.Date = moved;

function read(from: string): void {
  try {
    offsetMs = Number(readFileSync(from, 'utf8'));
  } catch {
    // the run has ended and its folder is deleted
  }
}
