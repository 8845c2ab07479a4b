import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Json, Operation } from './operations.ts';

/** A response as received over the network. */
export type Received = { status: number; headers: Headers; text: string };

const ajv = new Ajv2020({ strict: false, allErrors: false });
addFormats.default(ajv);

/** Headers that a documented response may lack, because they depend on the request, or on the service that responds. */
const conditional = new Set(['Idempotency-Replayed', 'WWW-Authenticate', 'Retry-After', 'ETag']);

/** Returns all differences between the response to a valid or an invalid request and the operation's contract. */
export function responseFaults(operation: Operation, response: Received, request: 'valid' | 'bad'): string[] {
  const { status, headers, text } = response;
  const declared = operation.responses[String(status)];
  const faults: string[] = [];
  if (status >= 500) faults.push(`answered ${status}`);
  if (request === 'bad' && status < 300) faults.push(`accepted a bad request with ${status}`);
  if (declared === undefined) return [...faults, `the status ${status} is not declared`];
  const mustHave = declared.headers.filter((name) => !conditional.has(name) || (name === 'ETag' && status < 400));
  faults.push(...mustHave.filter((name) => !headers.has(name)).map((name) => `${status} lacks the header ${name}`));
  return [...faults, ...bodyFaults(status, declared.content, headers.get('content-type'), text)];
}

function bodyFaults(
  status: number,
  content: Readonly<Record<string, Json>>,
  contentType: string | null,
  text: string,
): string[] {
  const type = (contentType ?? '').split(';')[0] ?? '';
  if (Object.keys(content).length === 0) return text === '' ? [] : [`${status} has a body, but none is declared`];
  const schema = content[type];
  if (schema === undefined) return [`${status} has the media type ${type === '' ? 'of nothing' : type}`];
  const validate = ajv.compile(schema);
  return validate(JSON.parse(text)) ? [] : [`the body of ${status} does not match: ${ajv.errorsText(validate.errors)}`];
}

/** Compares representations by URL and caller: an ETag must change if and only if the body changes. */
export function tagFaults(
  seen: Map<string, { tag: string; text: string }>,
  key: string,
  { status, headers, text }: Received,
): string[] {
  const tag = headers.get('etag');
  if (status !== 200 || tag === null) return [];
  const earlier = seen.get(key);
  seen.set(key, { tag, text });
  if (earlier === undefined || (earlier.tag === tag) === (earlier.text === text)) return [];
  return [earlier.tag === tag ? 'the body changed, but not the ETag' : 'the ETag changed, but not the body'];
}
