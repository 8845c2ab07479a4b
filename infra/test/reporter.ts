import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** mocha's `spec` on the terminal, and the counts in the file that TASKWIRE_TEST_RESULT names, which is how run.ts sums up its stages. */
export default class StageReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const failed: string[] = [];
    runner.on(Mocha.Runner.constants.EVENT_TEST_FAIL, (test) => failed.push(test.fullTitle()));
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const file = process.env.TASKWIRE_TEST_RESULT;
      if (file !== undefined) writeFileSync(file, JSON.stringify({ passed: this.stats.passes, failed }));
    });
  }
}
