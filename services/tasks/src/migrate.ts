import { runMigrations } from '@taskwire/service';
import { migrations } from './migrations.ts';

await runMigrations('tasks', migrations, process);
