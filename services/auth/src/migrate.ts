import { readEnvOrExit } from '@taskwire/env';
import { migrate } from '@taskwire/postgres';
import { commandEnv } from './env.ts';
import { migrations } from './migrations.ts';

const { DATABASE_URL } = readEnvOrExit(commandEnv, process);
const applied = await migrate(DATABASE_URL, migrations);
console.log(applied.length === 0 ? 'auth: nothing to migrate' : `auth: migrated ${applied.join(', ')}`);
