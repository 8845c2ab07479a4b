// npm run smoke -- --url <https://…>: the main flow against a running installation, as its users see it. SMOKE_MANAGER and SMOKE_MEMBER
// (email:password) are accounts with those roles and a verified address, reserved for this purpose; the member must not be a performer of real tasks.
// Without them, the users of npm start are used. The task is deleted at the end. Exits with 1 at the first step that fails.
import { parseArgs } from 'node:util';
import { errorText } from '@taskwire/errors';
import { demoPassword } from '../../infra/local/people.ts';
import type { Account } from './person.ts';
import { runSmoke } from './smoke-flow.ts';

try {
  const { values } = parseArgs({ options: { url: { type: 'string' } } });
  if (values.url === undefined) throw new Error('usage: npm run smoke -- --url <https://…>');
  const began = performance.now();
  await runSmoke({
    url: values.url.replace(/\/$/, ''),
    manager: accountOf('SMOKE_MANAGER', 'manager@taskwire.test'),
    member: accountOf('SMOKE_MEMBER', 'ann@taskwire.test'),
    passed: (step) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${step}`),
  });
  console.log('The main flow works.');
} catch (error) {
  console.error(`The main flow fails: ${errorText(error)}`);
  process.exitCode = 1;
}

function accountOf(variable: string, demoEmail: string): Account {
  const value = process.env[variable];
  if (value === undefined) return { email: demoEmail, password: demoPassword };
  const colon = value.indexOf(':');
  if (colon < 1) throw new Error(`${variable} must be email:password`);
  return { email: value.slice(0, colon), password: value.slice(colon + 1) };
}
