import type { OwnPath } from '@taskwire/http-server';
import { problem } from '@taskwire/errors';
import { readFormText, readPostedForm, replayBody } from './form.ts';
import { stayLoggedIn } from './stay-logged-in.ts';
import type { Providers } from './provider.ts';

/** The paths below the issuer that the provider answers itself. */
const paths = [
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
  '/jwks',
  '/authorize',
  '/authorize/:uid',
  '/token',
  '/userinfo',
  '/introspect',
  '/revoke',
  '/logout',
  '/logout/confirm',
  '/logout/success',
];

/**
 * OpenID Connect Core 1.0 section 3.1.2.1 and RP-Initiated Logout 1.0 section 2 want these for GET and POST. A browser brings no SameSite=Lax cookie
 * with the form of another site, and the provider would have us give that protection up; so the form becomes the address of a GET.
 */
const asQuery = ['/authorize', '/logout'];

/**
 * The provider's endpoints. It is made to believe that it is at its issuer, whatever host a request names: addresses that it shows or
 * sends browsers to are never made from what a caller says.
 */
export function providerEndpoints(issuer: string, providers: Providers): OwnPath[] {
  const { pathname, host, protocol } = new URL(issuer);
  const mount = pathname.replace(/\/$/, '');

  function endpoint(path: string, pathOf: (originalUrl: string) => string): OwnPath {
    return {
      path,
      async handle(request, response) {
        if (request.method === 'POST' && asQuery.some((one) => path === mount + one)) {
          const form = await readPostedForm(request);
          refuseLongQuery(form);
          response.writeHead(303, { Location: `${path}?${form.toString()}` }).end();
          return;
        }
        const provider = await providers();
        if (request.method === 'POST' && path === `${mount}/logout/confirm`) {
          const text = await readFormText(request);
          const form = new URLSearchParams(text);
          if (form.get('logout') === null) return await stayLoggedIn(provider, { request, response, form });
          replayBody(request, text);
        }
        refuseLongQuery(new URL(request.originalUrl, issuer).searchParams);
        const inside = pathOf(request.originalUrl);
        request.url = inside;
        request.originalUrl = mount + inside;
        request.headers.host = host;
        request.headers['x-forwarded-host'] = host;
        request.headers['x-forwarded-proto'] = protocol.slice(0, -1);
        response.setHeader('Content-Security-Policy', policy);
        // all of these are no-store but the keys and the discovery documents; this one depends on a bearer token besides
        if (inside.startsWith('/userinfo')) response.setHeader('Vary', 'Authorization');
        await provider.callback()(request, response);
      },
    };
  }

  return [
    ...paths.map((path) => endpoint(mount + path, (url) => url.slice(mount.length))),
    // RFC 8414 section 3 and its reading of OpenID Connect Discovery put the issuer's path behind
    ...['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'].map((path) =>
      endpoint(path + mount, () => path),
    ),
  ];
}

/**
 * In bytes, encoded as in an address. The request that has them fits into the 16 KiB that a service takes of all headers, beside a browser's own, and
 * the redirect that repeats them into the 32 KiB that the gateway takes of an answer's.
 */
const longestQuery = 14_000;

function refuseLongQuery(query: URLSearchParams): void {
  if (query.toString().length <= longestQuery) return;
  throw problem('uri_too_long', `The parameters may have ${longestQuery} bytes at most, encoded as in an address.`);
}

/** Of answers without a page of ours. `script-src` is there for the provider to name the one script of a form_post answer. */
const policy = "default-src 'none'; script-src; base-uri 'none'; frame-ancestors 'none'";
