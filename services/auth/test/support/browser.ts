import { createHash, randomBytes } from 'node:crypto';

/**
 * The page on which a browser without scripts ends up: the first response that doesn't redirect to one of our URLs, or the external URL to which the
 * browser was sent.
 */
export type Page = { url: string; status: number; headers: Headers; text: string };

export type Browser = ReturnType<typeof createBrowser>;

/**
 * A browser with cookies by path and without scripts. It behaves as if the service ran at the issuer, whatever its port: requests to URLs of the
 * issuer go to `baseUrl`. A redirect to another site is not followed; its URL is the page.
 */
export function createBrowser(baseUrl: string, issuer = 'http://localhost:8080/oidc') {
  const { origin } = new URL(issuer);
  const cookies = new Map<string, { value: string; path: string }>();

  function cookieHeader(path: string): string {
    return [...cookies]
      .filter(([, cookie]) => path === cookie.path || path.startsWith(cookie.path.replace(/\/?$/, '/')))
      .map(([key, { value }]) => `${key.split(' ')[0]}=${value}`)
      .join('; ');
  }

  function keep(header: string, defaultPath: string): void {
    const [pair = '', ...attributes] = header.split('; ');
    const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
    const path = attributes.find((one) => one.toLowerCase().startsWith('path='))?.slice(5) ?? defaultPath;
    const isGone = attributes.some((one) => /^expires=/i.test(one) && Date.parse(one.slice(8)) < Date.now());
    if (isGone) cookies.delete(`${name} ${path}`);
    else cookies.set(`${name} ${path}`, { value, path });
  }

  async function go(
    method: string,
    address: string,
    form?: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Page> {
    const url = new URL(address, origin);
    if (url.origin !== origin) return { url: url.href, status: 0, headers: new Headers(), text: '' };
    const response = await fetch(`${baseUrl}${url.pathname}${url.search}`, {
      method,
      redirect: 'manual',
      headers: { accept: 'text/html', cookie: cookieHeader(url.pathname), ...headers },
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
    });
    for (const header of response.headers.getSetCookie()) keep(header, url.pathname);
    const location = response.headers.get('location');
    // at each redirect, a browser declares the kind of resource that it opens
    const destination = headers['sec-fetch-dest'];
    const again = destination === undefined ? {} : { 'sec-fetch-dest': destination };
    if (location !== null) return await go('GET', new URL(location, url).href, undefined, again);
    return { url: url.href, status: response.status, headers: response.headers, text: await response.text() };
  }

  const open = async (address: string) => await go('GET', address);

  return {
    cookies,
    open,
    /** Submits a page's form, including the fields that are already filled in. */
    async submit(
      page: Page,
      fields: Record<string, string>,
      headers: Record<string, string> = { origin },
    ): Promise<Page> {
      return await go('POST', actionOf(page), { ...hiddenFields(page.text), ...fields }, headers);
    },
    post: async (address: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
      await go('POST', address, form, headers),
    /** Logs in and consents wherever a page asks for it; returns the final page. */
    async allow(address: string, person: { email: string; password: string }): Promise<Page> {
      let page = await open(address);
      if (page.text.includes('name="password"')) page = await this.submit(page, { ...person, decision: 'log_in' });
      if (page.text.includes('value="allow"')) page = await this.submit(page, { decision: 'allow' });
      return page;
    },
  };
}

export function actionOf({ text, url }: Page): string {
  return new URL(/<form[^>]* action="([^"]+)"/.exec(text)?.[1] ?? '', url).href;
}

export function hiddenFields(text: string): Record<string, string> {
  const inputs = text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g);
  return Object.fromEntries([...inputs].map(([, name, value]) => [name, value]));
}

/** A code verifier and its challenge (RFC 7636 section 4). */
export function pkce() {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}
