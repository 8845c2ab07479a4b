import { readEnvOrExit } from '@taskwire/env';
import { migrate } from '@taskwire/postgres';
import { databaseEnv } from './env.ts';
import { migrations } from './migrations.ts';

const { DATABASE_URL } = readEnvOrExit(databaseEnv, process);
const applied = await migrate(DATABASE_URL, migrations);
console.log(applied.length === 0 ? 'tasks: nothing to migrate' : `tasks: migrated ${applied.join(', ')}`);
