// can-i-deploy.ts <environment>: asks the Pact Broker of PACT_BROKER_BASE_URL whether this version of each service works with everything
// deployed in the environment. Exits with 1 if a service does not, or has not been verified.
import { brokerFromEnvironment, canDeploy } from '../src/pact-broker.ts';

const [environment] = process.argv.slice(2);
const broker = brokerFromEnvironment();
if (environment === undefined) throw new Error('usage: can-i-deploy.ts <environment>');
if (broker === undefined) throw new Error('PACT_BROKER_BASE_URL is not set');

for (const service of ['auth', 'tasks', 'notifications']) {
  const { ok, reason } = await canDeploy(broker, service, environment);
  console.log(`${ok ? 'yes' : 'no '} ${service} ${broker.version} to ${environment}: ${reason}`);
  if (!ok) process.exitCode = 1;
}
