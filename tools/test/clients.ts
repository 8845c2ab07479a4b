// npm run clients [-- <part of a path> …] [-- --grep <text>]
//
// Tests of third-party clients that need more than npm: Chromium, Apache, Python.
import { errorText } from '@taskwire/errors';
import { existsSync } from 'node:fs';
import { installSystemPackages } from '../../infra/local/system-packages.mjs';

/** The programs in each Debian package, to check whether it is installed. */
const packages: Readonly<Record<string, string>> = {
  apache2: '/usr/sbin/apache2',
  'libapache2-mod-auth-openidc': '/usr/lib/apache2/modules/mod_auth_openidc.so',
  'python3-authlib': '/usr/lib/python3/dist-packages/authlib/__init__.py',
  'python3-requests': '/usr/lib/python3/dist-packages/requests/__init__.py',
};

try {
  const missing = Object.entries(packages).flatMap(([name, file]) => (existsSync(file) ? [] : [name]));
  if (missing.length > 0) await installSystemPackages(missing, console.log);
} catch (error) {
  console.error(errorText(error));
  process.exit(1);
}
process.env['TASKWIRE_TEST_STAGES'] = 'clients';
// in this process, which receives the signals and the bootstrap's kill -9
await import('./run.ts');
