export { testDatabase, type TestDatabase } from './database.ts';
export { describeEntities } from './entities.ts';
export { testBroker, type TestBroker, type TestService } from './broker.ts';
export { testMail, type TestMail, type Mail, type MailResponse } from './mail.ts';
export { fromRunner, programEnv } from './environment.ts';
export { runInProcess } from './command-line.ts';
export { gone, notFound, startFakeService, type FakeResponse } from './fake-service.ts';
export { spansOf, type ReceivedSpan } from './otlp-spans.ts';
export { startReceiver, type Receiver } from './receiver.ts';
export { createTokenIssuer, type TokenIssuer, type TokenOverrides } from './token-issuer.ts';
export { waitFor, type WaitOptions } from './wait-for.ts';
export { walkScopes, type TokenHolder, type WalkOptions } from './scope-walk.ts';
export { walkReplays, type ReplayWalk } from './replay-walk.ts';
export { walkAsOutsider, type OutsiderWalk } from './outsider-walk.ts';
export { walkAsStranger, type StrangerWalk } from './stranger-walk.ts';
export { walkFilters, type FilterWalk } from './filter-walk.ts';
export { deadLetterFilterValues, insertDeadLetters } from './dead-letter-rows.ts';
export type { PreparedCall } from './contract-call.ts';
export {
  fillTables,
  largeTableScans,
  planSizes,
  rowsRead,
  recordStatements,
  tablesScanned,
  type RanStatement,
  type StatementLog,
} from './plans.ts';
export { faultRounds, isDrill, propertyRuns, propertyTimeoutMs } from './property-runs.ts';
export { showFigure } from './show-figure.ts';
export { simulateWork } from './simulate-work.ts';
export { publishRaw } from './publish-raw.ts';
export { silent } from './silent.ts';
export {
  idsOf,
  neverRetry,
  recordEffect,
  retryAtOnce,
  runRetries,
  storedHeaders,
  testEvent,
  testEvents,
  testHandler,
  useInboxHarness,
  type Decide,
  type InboxHarness,
} from './inbox-harness.ts';
export { createPartitionedSuite, type PartitionedSuite, type PartitionWorker } from './partitioned-suite.ts';
