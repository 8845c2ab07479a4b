import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express, type Request } from 'express';

/** An application's registration and URL. */
export type ClientAtWork = { issuer: string; clientId: string; clientSecret: string; origin: string };

export type Application = { origin: string; app: Express; close(): Promise<void> };

/** An application with sessions in memory, implemented as far as passport needs them. */
export async function startApplication(): Promise<Application> {
  const app = express();
  app.use(express.urlencoded({ extended: false }));
  const sessions = new Map<string, object>();
  app.use((request, response, next) => {
    const id = /(?:^|; )sid=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? crypto.randomUUID();
    if (!sessions.has(id)) sessions.set(id, sessionData());
    response.cookie('sid', id);
    Object.assign(request, { session: sessions.get(id) });
    next();
  });
  const server: Server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    app,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** passport calls these of express-session. */
function sessionData(): object {
  const done = (callback: () => void) => callback();
  return Object.defineProperties({}, { regenerate: { value: done }, save: { value: done } });
}

/** The logged-in user, as passport stores it. */
export function userOf(request: Request): unknown {
  return (request as Request & { user?: unknown }).user;
}
