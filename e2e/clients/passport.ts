import type { Express } from 'express';
import passport from 'passport';
import { Strategy as OAuth2Strategy, type VerifyCallback } from 'passport-oauth2';
import { userOf, type ClientAtWork } from './client-at-work.ts';

/** passport with passport-oauth2, which sends its secret in the form, with the code of docs/clients.md. */
export function usePassport(app: Express, { issuer, clientId, clientSecret, origin }: ClientAtWork): void {
  const strategy = new OAuth2Strategy(
    {
      authorizationURL: `${issuer}/authorize`,
      tokenURL: `${issuer}/token`,
      clientID: clientId,
      clientSecret,
      callbackURL: `${origin}/callback`,
      scope: ['openid', 'profile', 'email', 'tasks:read'],
      pkce: true,
      state: true,
    },
    (accessToken: string, _refreshToken: string, profile: object, done: VerifyCallback) =>
      done(null, { ...profile, api: accessToken }),
  );
  strategy.authorizationParams = () => ({ resource: 'urn:taskwire:tasks' });
  strategy.userProfile = (accessToken, done) => {
    fetch(`${issuer}/userinfo`, { headers: { authorization: `Bearer ${accessToken}` } })
      .then(async (answer) => done(null, await answer.json()))
      .catch((error: unknown) => done(error));
  };
  const own = new passport.Passport();
  own.use('taskwire', strategy);
  own.serializeUser((user, done) => done(null, user));
  own.deserializeUser((user: Express.User, done) => done(null, user));
  app.use(own.initialize(), own.session());
  app.get('/login', own.authenticate('taskwire'));
  app.get('/callback', own.authenticate('taskwire', { successRedirect: '/me' }));
  app.get('/me', (request, response) => response.json(userOf(request) ?? null));
}
