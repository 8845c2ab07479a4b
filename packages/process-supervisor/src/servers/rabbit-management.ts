import { errorText } from '@taskwire/errors';

/** RabbitMQ's management API with a login. */
export type RabbitManagement = {
  /** Returns the JSON response; undefined for an empty body. @throws if the status is not 2xx, or the response takes longer than 30 s. */
  call<T = unknown>(method: Method, path: string, body?: unknown): Promise<T>;
  /** The address of the page, without the login. */
  url: string;
};

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

// importing definitions or deleting a vhost takes a second, or more than ten seconds while all processors are busy and other vhosts are created and
// deleted
const responseTimeoutMs = 30_000;

/** @param url as `http://login:password@host:port` */
export function rabbitManagement(url: string): RabbitManagement {
  const { origin, username, password } = new URL(url);
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return {
    url: origin,
    async call<T>(method: Method, path: string, body?: unknown): Promise<T> {
      const response = await fetch(`${origin}/api${path}`, {
        method,
        headers: { authorization: `Basic ${login}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(responseTimeoutMs),
      }).catch((error: unknown) => {
        throw new Error(`RabbitMQ's management API did not respond to ${method} ${path}: ${errorText(error)}`, {
          cause: error,
        });
      });
      const text = await response.text();
      if (!response.ok) {
        throw new Error(`RabbitMQ's management API responded to ${method} ${path} with ${response.status}: ${text}`);
      }
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
  };
}
