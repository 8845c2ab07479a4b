export {
  describePact,
  exampleProblem,
  exampleToken,
  exampleUserToken,
  verifyPacts,
  type ProvidedMessage,
  type Verification,
} from './pacts.ts';
export { authConsumer, readAsConsumer } from './auth-consumer.ts';
export { exampleClientSecret, exampleInstant, exampleUserId, expectAuth } from './auth-pact.ts';
export { expectEvent, toProvidedMessage, type ExampleMessage } from './event-pact.ts';
export { brokerFromEnvironment, canDeploy, type PactBroker } from './pact-broker.ts';
