import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

/** The page that a browser ends up on. */
export type Seen = { url: string; status: number; headers: IncomingHttpHeaders; text: string };

type Sent = { form?: Record<string, string>; headers?: Record<string, string> };

/** A user with a browser without scripts and with accounts at the sites that they visit; cookies are kept by origin. */
export type Visitor = {
  visit(url: string, sent?: Sent): Promise<Seen>;
  /** Opens an application, logs in and allows what it requests. Returns the final page. */
  logInAt(url: string, person: { user: { email: string }; password: string }, sent?: Sent): Promise<Seen>;
};

export function newVisitor(): Visitor {
  const jars = new Map<string, Map<string, string>>();

  async function visit(url: string, { form, headers = {} }: Sent = {}): Promise<Seen> {
    const { origin } = new URL(url);
    const jar = jars.get(origin) ?? new Map<string, string>();
    jars.set(origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await send(url, form, { accept: 'text/html', cookie, ...headers });
    for (const set of answer.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === '' || /expires=Thu, 01 Jan 1970/i.test(set)) jar.delete(name);
      else jar.set(name, value);
    }
    const { location } = answer.headers;
    return location === undefined ? { url, ...answer } : await visit(new URL(location, url).href);
  }

  /** Sends the form of a page of Auth. */
  async function submit({ url, text: html }: Seen, fields: Record<string, string>): Promise<Seen> {
    const token = /name="form_token" value="([^"]+)"/.exec(html)?.[1] ?? '';
    const action = new URL(/<form[^>]* action="([^"]+)"/.exec(html)?.[1] ?? '', url);
    return await visit(action.href, { form: { form_token: token, ...fields }, headers: { origin: action.origin } });
  }

  return {
    visit,
    async logInAt(url, person, sent) {
      let page = await visit(url, sent);
      if (page.text.includes('name="password"')) {
        page = await submit(page, { email: person.user.email, password: person.password, decision: 'log_in' });
      }
      return page.text.includes('value="allow"') ? await submit(page, { decision: 'allow' }) : page;
    },
  };
}

/** Does not use fetch, whose headers identify a script: some clients do not start a log-in for scripts. */
async function send(url: string, form: Record<string, string> | undefined, headers: Record<string, string>) {
  const body = form === undefined ? undefined : new URLSearchParams(form).toString();
  const type = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body ?? '') };
  const sent = request(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...headers, ...(body && type) },
  });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, headers: answer.headers, text: await text(answer) };
}
