import { response } from '@taskwire/http-server';
import type { LogIn } from '../app/log-in.ts';

/** The response to a user who has just authenticated: their session, and the proof for their device. */
export function loggedIn({ tokens, deviceCookie }: LogIn) {
  return response(200, tokens, { headers: { 'Set-Cookie': deviceCookie } });
}
