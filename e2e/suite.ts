import type { Suite } from '../infra/local/suite.ts';
import { e2eSuite } from '../infra/test/e2e-suite.ts';

/** The one suite of all end-to-end tests, for the tests of the `describe` that this is called in. */
export function useSuite(): () => Suite {
  let suite: Suite | undefined;
  before(async () => {
    suite = await e2eSuite();
  });
  return () => {
    if (suite === undefined) throw new Error('the suite is not up yet');
    return suite;
  };
}
