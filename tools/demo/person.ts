import { passwordSession, Taskwire, type types } from '@taskwire/client';

/** An account of the installation. */
export type Account = { email: string; password: string };

/** A logged-in user, with a client of their own. */
export type Person = { tw: Taskwire; user: types.User };

/** Shorter than a front end's: an operator waits for the result. */
const timeoutMs = 10_000;

/** @throws if the log-in is refused. */
export async function logIn(baseUrl: string, { email, password }: Account): Promise<Person> {
  const auth = passwordSession();
  const tw = new Taskwire({ baseUrl, auth, timeoutMs });
  return { tw, user: await auth.login(email, password) };
}
