import { text } from 'node:stream/consumers';
import { readEnv } from '@taskwire/env';
import { z } from 'zod';
import type { UserCopy } from '../domain/recovery.ts';
import { keyCommandEnv } from '../env.ts';
import { readOptions, UsageError, type Command } from './command.ts';

/** A line on stdin. A service of another release may send fields and roles that are unknown to this release. */
const userCopy = z.object({
  id: z.guid(),
  service: z.string(),
  source_epoch: z.int(),
  version: z.int(),
  role: z.string().nullable(),
  email: z.string().nullable(),
  name: z.string().nullable(),
  is_deleted: z.boolean(),
  deletion_version: z.int().nullable(),
  gone_at: z.string().nullable(),
  is_deletion_claimed: z.boolean(),
  event_at: z.string().nullable(),
  event_epoch: z.int(),
});

export const recoverUsers: Command = {
  options: '',
  does: `makes a restored Auth safe to start: revokes the rights again that were revoked after the time of the backup, ends all access,
replaces signing keys and clients' secrets. The copies of users in other services are on stdin, one JSON object per line; the command
taskwire restored auth writes them. KEY_ENCRYPTION_SECRET is required too. docs/runbooks/restore.md has the whole procedure.`,
  async read(args, { stdin, env, write }) {
    readOptions(args, {});
    const { KEY_ENCRYPTION_SECRET: secret } = readEnv(keyCommandEnv, env);
    const lines = (await text(stdin)).split('\n').filter((line) => line !== '');
    const copies = Map.groupBy(lines.map(readCopy), ({ id }) => id);
    return async ({ recover }) =>
      (await recover({ secret, copies, write })) === 'done'
        ? 'Auth is consistent with the other services'
        : 'the database was neither restored nor promoted since the suite was last consistent; nothing to do';
  },
};

function readCopy(line: string, index: number): UserCopy & { id: string } {
  try {
    return userCopy.parse(JSON.parse(line));
  } catch (cause) {
    throw new UsageError(`line ${index + 1} on stdin is not a copy of a user`, { cause });
  }
}
