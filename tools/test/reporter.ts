import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/**
 * Prints mocha's `spec` on the terminal, and writes the counts to the file named by TASKWIRE_TEST_RESULT, from which run.ts sums up its stages. When
 * a process of a parallel run crashes, mocha ends without an end event; the counts so far are then written as incomplete.
 */
export default class StageReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const failed: string[] = [];
    const write = (complete: boolean) => {
      const file = process.env.TASKWIRE_TEST_RESULT;
      if (file !== undefined) writeFileSync(file, JSON.stringify({ complete, passed: this.stats.passes, failed }));
    };
    const writeIncomplete = () => write(false);
    process.once('exit', writeIncomplete);
    runner.on(Mocha.Runner.constants.EVENT_TEST_FAIL, (test) => failed.push(test.fullTitle()));
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      process.removeListener('exit', writeIncomplete);
      write(true);
    });
  }
}
