// Loaded into a service with --import: moves its wall clock by as many milliseconds as the file says. The monotonic clock, and with it every timer,
// stays as it is, as when somebody sets the time of a machine.
import { readFileSync } from 'node:fs';

const file = process.env['TASKWIRE_CHAOS_CLOCK_FILE'];
if (file === undefined) throw new Error('TASKWIRE_CHAOS_CLOCK_FILE is not set.');
let offsetMs = 0;
read(file);
// often enough that a jump is noticed while others are still on their way
setInterval(() => read(file), 250).unref();

const trueNow = Date.now.bind(Date);
const now = () => trueNow() + offsetMs;
Date.now = now;

// the prototype stays the same, so dates are dates, wherever they were made
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
    // the run is over and its folder gone
  }
}
