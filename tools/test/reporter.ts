import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import type { TestTime } from './run-stage.ts';

/**
 * Prints mocha's `spec` on the terminal, and writes the counts and the slowest ten tests and hooks to the file named by TASKWIRE_TEST_RESULT, from which run.ts sums up its stages. When
 * a process of a parallel run crashes, mocha ends without an end event; the counts so far are then written as incomplete.
 */
export default class StageReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const failed: string[] = [];
    let slowest: TestTime[] = [];
    const time = (title: string, ms = 0) => {
      if (ms > (slowest[9]?.ms ?? 0)) slowest = [...slowest, { title, ms }].sort((a, b) => b.ms - a.ms).slice(0, 10);
    };
    const write = (complete: boolean) => {
      const file = process.env.TASKWIRE_TEST_RESULT;
      if (file !== undefined)
        writeFileSync(file, JSON.stringify({ complete, passed: this.stats.passes, failed, slowest }));
    };
    const writeIncomplete = () => write(false);
    process.once('exit', writeIncomplete);
    runner.on(Mocha.Runner.constants.EVENT_TEST_FAIL, (test) => failed.push(test.fullTitle()));
    runner.on(Mocha.Runner.constants.EVENT_TEST_END, (test) => time(test.fullTitle(), test.duration));
    runner.on(Mocha.Runner.constants.EVENT_HOOK_END, (hook) => time(hook.fullTitle(), hook.duration));
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      process.removeListener('exit', writeIncomplete);
      write(true);
    });
  }
}
