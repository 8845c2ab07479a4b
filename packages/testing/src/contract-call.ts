import type { Route } from '@taskwire/contracts';

/** A request that a test has prepared for one operation. */
export type PreparedCall = {
  token: string;
  params?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, string>>;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
};

export type CallResult = { status: number; headers: Headers; text: string };

/** Sends a prepared request to the route's path. For a route with If-Match, `*` is sent unless the request has its own value. */
export async function callRoute(baseUrl: string, route: Route, call: PreparedCall): Promise<CallResult> {
  const { token, params = {}, query = {}, body, headers } = call;
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? crypto.randomUUID());
  const response = await fetch(`${baseUrl}${path}?${new URLSearchParams(query)}`.replace(/\?$/, ''), {
    method: route.method.toUpperCase(),
    headers: {
      authorization: `Bearer ${token}`,
      ...(route.ifMatch === undefined ? {} : { 'if-match': '*' }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
