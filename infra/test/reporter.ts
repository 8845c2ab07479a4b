import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/**
 * mocha's `spec` on the terminal, and the counts in the file that TASKWIRE_TEST_RESULT names, which is how run.ts sums up its stages. When a
 * process of a parallel run crashes, mocha ends without an end of the run; the counts so far are written then, as not complete.
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
