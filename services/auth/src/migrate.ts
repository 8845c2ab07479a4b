import { runMigrations } from '@taskwire/service';
import { migrations } from './migrations.ts';

await runMigrations('auth', migrations, process);
