import { request } from 'node:http';
import { errorText } from '@taskwire/errors';

/** RabbitMQ's management API with a login. */
export type RabbitManagement = {
  /** The JSON that it answers, undefined for an empty body. @throws when the answer is not 2xx or takes longer than 10 s */
  call<T = unknown>(method: Method, path: string, body?: unknown): Promise<T>;
  /** address of the page, without the login */
  url: string;
};

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

// the first definitions on a busy machine take about a second
const answerTimeoutMs = 10_000;

/** @param url as `http://login:password@host:port` */
export function rabbitManagement(url: string): RabbitManagement {
  const { origin, username, password } = new URL(url);
  const auth = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    url: origin,
    async call<T>(method: Method, path: string, body?: unknown): Promise<T> {
      const { status, text } = await exchange(method, `${origin}/api${path}`, auth, body).catch((error: unknown) => {
        throw new Error(`RabbitMQ's management API did not answer ${method} ${path}: ${errorText(error)}`, {
          cause: error,
        });
      });
      if (status >= 300)
        throw new Error(`RabbitMQ's management API answered ${method} ${path} with ${status}: ${text}`);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
  };
}

// Not fetch: it keeps its connection open for a while, and RabbitMQ's shutdown waits 5 s for such connections.
function exchange(method: Method, url: string, auth: string, body: unknown): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(answerTimeoutMs);
    const sent = request(
      url,
      { method, auth, agent: false, signal, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.once('error', reject);
      },
    );
    sent.once('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
