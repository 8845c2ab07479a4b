/** A front end's view of the suite: the public API through the gateway. */
export type Api = <T>(
  method: string,
  path: string,
  o?: { token?: string; body?: unknown; ifMatch?: string },
) => Promise<T>;

/** @throws with the problem document when the status is not 2xx. */
export function apiOf(url: string): Api {
  return async <T>(method: string, path: string, o: { token?: string; body?: unknown; ifMatch?: string } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(o.token !== undefined && { authorization: `Bearer ${o.token}` }),
        ...(o.body !== undefined && { 'content-type': 'application/json' }),
        ...(o.ifMatch !== undefined && { 'if-match': o.ifMatch }),
      },
      ...(o.body !== undefined && { body: JSON.stringify(o.body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} returned ${response.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
}

export type User = { id: string; email: string; name: string; role: string };
export type Session = { access_token: string; user: User };
export type Task = { id: string; title: string; state: string; assignee: { id: string; name: string } | null };
export type Notification = { id: string; type: string; title: string; task_id: string | null };
