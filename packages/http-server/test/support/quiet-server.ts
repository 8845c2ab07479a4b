import { PassThrough } from 'node:stream';
import { createTelemetry } from '@taskwire/telemetry';
import { createHttpServer, type HttpServer } from '../../src/index.ts';

type Options = Parameters<typeof createHttpServer>[0];

/** A server on a free port that discards its logs. */
export function quietServer(options: Pick<Options, 'authenticator' | 'routes' | 'sourceEpoch'>): HttpServer {
  return createHttpServer({
    telemetry: createTelemetry({ service: 'test', stream: new PassThrough().resume() }),
    host: '127.0.0.1',
    port: 0,
    trustedProxies: [],
    readiness: {},
    ...options,
  });
}
