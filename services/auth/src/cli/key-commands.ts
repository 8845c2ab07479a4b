import { readEnv } from '@taskwire/env';
import { keyCommandEnv } from '../env.ts';
import { readOptions, type Command } from './command.ts';

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
};

function startsIn(ms: number): string {
  return `signs in ${Math.ceil(ms / 1000)} s`;
}
