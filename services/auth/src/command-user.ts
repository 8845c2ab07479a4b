import { text } from 'node:stream/consumers';
import { schemas } from '@taskwire/contracts';
import { Problem } from '@taskwire/errors';
import { z } from 'zod';
import { CommandFailed, readOptions, UsageError, type Command } from './command-line.ts';

const newUser = z.object({
  email: schemas.email,
  name: schemas.personName,
  role: schemas.role,
  password: schemas.newPassword,
});

const option = { type: 'string' } as const;

export const addUser: Command = {
  options: '--email <address> --name <name> --role <admin|manager|member>',
  does: `makes a user; the first admin is made like this. One who exists already is left as they are.
The password is read from stdin, in one line:
printf %s "$PASSWORD" | node services/auth/src/cli.ts user add --email ann@example.org --name Ann --role admin`,
  async read(args, { stdin }) {
    const given = readOptions(args, { email: option, name: option, role: option });
    // the line that a terminal or echo ends is not part of the password
    const password = (await text(stdin)).replace(/\r?\n$/, '');
    const result = newUser.safeParse({ ...given, password });
    if (!result.success) {
      const faults = result.error.issues.map(({ path, message }) => fault(String(path[0]), message, given));
      throw new UsageError(`The user cannot be made:\n${faults.join('\n')}`);
    }
    const user = result.data;
    return async ({ createUser, emailTakenBy }) => {
      try {
        // whoever runs this command vouches for the address
        const created = await createUser({ ...user, emailVerified: true });
        return `made ${created.role} ${created.email} with id ${created.id}`;
      } catch (error) {
        if (!(error instanceof Problem && error.code === 'email_taken')) throw error;
        if ((await emailTakenBy(user.email)) === 'account') return `${user.email} exists already`;
        throw new CommandFailed(`${user.email} is reserved: an account that gave it up may still take it back`);
      }
    };
  },
};

function fault(name: string, message: string, given: Readonly<Record<string, string | undefined>>): string {
  if (name === 'password') return `  the password on stdin: ${message}`;
  return given[name] === undefined ? `  --${name} is missing` : `  --${name}: ${message}`;
}
