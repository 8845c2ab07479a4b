import type { RawRoute } from '@taskwire/http-server';
import { problem } from '@taskwire/errors';
import { readFormText, readPostedForm, replayBody } from './form.ts';
import { stayLoggedIn } from './stay-logged-in.ts';
import type { Providers } from './provider.ts';

/** Paths below the issuer whose requests the provider handles itself. */
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
 * OpenID Connect Core 1.0 section 3.1.2.1 and RP-Initiated Logout 1.0 section 2 require these endpoints to accept GET and POST. A browser doesn't
 * send a SameSite=Lax cookie with another site's form, and the provider's own solution would weaken that protection. Therefore the form is converted
 * to the query of a GET.
 */
const asQuery = ['/authorize', '/logout'];

/**
 * The provider's endpoints. The provider is configured as if it ran at its issuer, whatever host a request names: URLs that it shows or redirects to
 * are never built from caller input.
 */
export function providerEndpoints(issuer: string, providers: Providers): RawRoute[] {
  const { pathname, host, protocol } = new URL(issuer);
  const mount = pathname.replace(/\/$/, '');

  function endpoint(path: string, pathOf: (originalUrl: string) => string): RawRoute {
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
        // all of these responses are no-store, except the keys and the discovery documents; this one also depends on a bearer token
        if (inside.startsWith('/userinfo')) response.setHeader('Vary', 'Authorization');
        await provider.callback()(request, response);
      },
    };
  }

  return [
    ...paths.map((path) => endpoint(mount + path, (url) => url.slice(mount.length))),
    // RFC 8414 section 3, and its interpretation of OpenID Connect Discovery, append the issuer's path
    ...['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'].map((path) =>
      endpoint(path + mount, () => path),
    ),
  ];
}

/**
 * Maximum length of a query, in bytes as encoded in the URL. A request with such a query, together with a browser's own headers, fits into the 16 KiB
 * that a service accepts for all headers. The redirect that repeats the query fits into the 32 KiB that the gateway accepts for response headers.
 */
const maxQueryBytes = 14_000;

function refuseLongQuery(query: URLSearchParams): void {
  if (query.toString().length <= maxQueryBytes) return;
  throw problem('uri_too_long', `The parameters may have ${maxQueryBytes} bytes at most, encoded as in an address.`);
}

/**
 * The policy of responses that aren't one of our pages. `script-src` is present so that the provider can add the one script of a form_post response.
 */
const policy = "default-src 'none'; script-src; base-uri 'none'; frame-ancestors 'none'";
