import type { IncomingMessage } from 'node:http';
import { failSpan, SpanKind, type Span } from '@taskwire/telemetry';

/** The methods of the semantic conventions; any other is `_OTHER`, so that callers cannot make up values. */
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE']);

function methodOf(method: string): string {
  return knownMethods.has(method) ? method : '_OTHER';
}

/**
 * The span of a request: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span. The path, query, headers and addresses are left
 * out, because callers can write personal data and secrets into them; the route and the request id identify the request.
 */
export function serverSpan(request: IncomingMessage, requestId: string) {
  const method = methodOf(request.method ?? '');
  return {
    name: method === '_OTHER' ? 'HTTP' : method,
    kind: SpanKind.SERVER,
    attributes: () => ({
      'http.request.method': method,
      'url.scheme': 'http',
      'network.protocol.version': request.httpVersion,
      'taskwire.request.id': requestId,
    }),
  };
}

/** Adds the attributes of the response. A status below 500 is no error of the server. */
export function describeEnd(
  span: Span,
  { method, route, status }: { method: string; route: string; status: number },
): void {
  span.setAttribute('http.response.status_code', status);
  if (route !== 'unknown') {
    span.setAttribute('http.route', route);
    span.updateName(`${methodOf(method)} ${route}`);
  }
  if (status >= 500) failSpan(span, String(status));
}
