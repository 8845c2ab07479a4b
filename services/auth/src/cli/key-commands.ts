import { text } from 'node:stream/consumers';
import { readEnv } from '@taskwire/env';
import { keyCommandEnv, secret32 } from '../env.ts';
import { CommandFailed, readOptions, UsageError, type Command } from './command.ts';

export const keyCommands: Readonly<Record<string, Command>> = {
  'keys list': {
    options: '',
    does: 'lists the signing keys, newest first',
    async read(args) {
      readOptions(args, {});
      return async ({ listKeys }) => {
        const keys = await listKeys();
        const active = keys.find(({ signsInMs }) => signsInMs <= 0);
        return keys
          .map(
            (key) =>
              `${key.kid}  ${key.signsInMs > 0 ? startsIn(key.signsInMs) : key === active ? 'signs' : 'retired'}`,
          )
          .join('\n');
      };
    },
  },
  'keys rotate': {
    options: '',
    does: `adds the next signing key: it is published at once, and signs after KEY_OVERLAP_SECONDS. No restart is needed.
KEY_ENCRYPTION_SECRET is required too.`,
    async read(args, { env }) {
      readOptions(args, {});
      const { KEY_ENCRYPTION_SECRET: secret, KEY_OVERLAP_SECONDS: overlap } = readEnv(keyCommandEnv, env);
      return async ({ rotateKeys }) =>
        (await rotateKeys(secret))
          ? `published the next key; it signs in ${overlap} s`
          : 'another key is already waiting to sign';
    },
  },
  'keys reseal': {
    options: '',
    does: `encrypts the stored signing keys with a new KEY_ENCRYPTION_SECRET, which is read from stdin as one line:
openssl rand -base64 32 > new-secret && … keys reseal < new-secret
KEY_ENCRYPTION_SECRET is the current one. Then restart every process of Auth with the new secret, and run the command again with both:
it completes keys that were added in between. docs/runbooks/secrets.md has the whole procedure.`,
    async read(args, { env, stdin }) {
      readOptions(args, {});
      const { KEY_ENCRYPTION_SECRET: from } = readEnv(keyCommandEnv, env);
      const given = secret32.safeParse((await text(stdin)).trim());
      if (!given.success)
        throw new UsageError(
          'The new secret on stdin must be 32 random bytes in base64, as from: openssl rand -base64 32',
        );
      return async (commands) => {
        const result = await commands.resealKeys({ from, to: given.data });
        switch (result.kind) {
          case 'done':
            return result.resealed === 0
              ? 'all signing keys are already sealed with the new secret'
              : `sealed ${result.resealed} signing keys with the new secret; restart every process of Auth with it`;
          case 'unopened':
            throw new CommandFailed(
              `KEY_ENCRYPTION_SECRET does not open the signing keys ${result.kids.join(', ')}; nothing was changed`,
            );
        }
      };
    },
  },
};

function startsIn(ms: number): string {
  return `signs in ${Math.ceil(ms / 1000)} s`;
}
