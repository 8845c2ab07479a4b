export {
  describePact,
  exampleProblem,
  exampleToken,
  verifyPacts,
  type ProvidedMessage,
  type Verification,
} from './pacts.ts';
export { exampleClientSecret, exampleInstant, exampleUserId, expectAuth, type AuthConsumer } from './auth-pact.ts';
export { expectEvent, toProvidedMessage, type ExampleMessage } from './event-pact.ts';
