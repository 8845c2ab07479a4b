import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import type { TestTime } from './run-stage.ts';

/** Less than run-stage.ts waits for the process to end. */
const sayOpenMs = 10_000;

/** A message in one line. Of a long one, the middle is left out: a property's counterexample is long, and its error comes last. */
function shortened(message: string): string {
  const line = message.replaceAll(/\s+/g, ' ');
  return line.length <= 3_000 ? line : `${line.slice(0, 1_000)} […] ${line.slice(-2_000)}`;
}

/**
 * Prints mocha's `spec` on the terminal, and writes the counts, the slowest ten tests and hooks and the duration of each file to the file named by
 * TASKWIRE_TEST_RESULT, from which run.ts sums up its stages. When a process of a parallel run crashes, mocha ends without an end event; the counts so
 * far are then written as incomplete.
 */
export default class StageReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const failed: string[] = [];
    let slowest: TestTime[] = [];
    const time = (title: string, ms = 0) => {
      if (ms > (slowest[9]?.ms ?? 0)) slowest = [...slowest, { title, ms }].sort((a, b) => b.ms - a.ms).slice(0, 10);
    };
    const durations = new Map<string, number>();
    let [lastFile, before] = ['', 0];
    const spend = (file: string, ms: number) => durations.set(file, (durations.get(file) ?? 0) + ms);
    const write = (complete: boolean) => {
      const file = process.env.TASKWIRE_TEST_RESULT;
      if (file !== undefined)
        writeFileSync(
          file,
          JSON.stringify({
            complete,
            passed: this.stats.passes,
            failed,
            slowest,
            durations: Object.fromEntries(durations),
          }),
        );
    };
    const writeIncomplete = () => write(false);
    process.once('exit', writeIncomplete);
    // the text of a property's error has the counterexample and how to repeat it
    runner.on(Mocha.Runner.constants.EVENT_TEST_FAIL, (test, error: { message?: string }) =>
      // a parallel run passes on an object with the properties of the error
      failed.push(`${test.fullTitle()}: ${shortened(error.message ?? '')}`),
    );
    runner.on(Mocha.Runner.constants.EVENT_TEST_END, (test) => {
      time(test.fullTitle(), test.duration);
      lastFile = test.file ?? lastFile;
      spend(lastFile, before + (test.duration ?? 0));
      before = 0;
    });
    runner.on(Mocha.Runner.constants.EVENT_HOOK_END, (hook) => {
      time(hook.fullTitle(), hook.duration);
      // a parallel run reports one file after another, and hooks without their file: a hook that runs before a test belongs to that test's file
      if (hook.title.startsWith('"before')) before += hook.duration ?? 0;
      else spend(lastFile, hook.duration ?? 0);
    });
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      process.removeListener('exit', writeIncomplete);
      write(true);
      // run-stage.ts kills a process that does not exit by itself; this line says why it did not
      setTimeout(() => console.error(`still open: ${process.getActiveResourcesInfo().join(', ')}`), sayOpenMs).unref();
    });
  }
}
