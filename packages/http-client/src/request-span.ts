import { SpanKind } from '@taskwire/telemetry';

const uuid = /[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}/gi;

/**
 * The span of one request to a service: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span. Each attempt of a call has its own,
 * as the conventions require. The URL is sent as a template: ids of users are personal data, and queries contain cursors.
 */
export function clientSpan(method: string, origin: string, target: string, attempt: number) {
  const template = (target.split('?', 1)[0] ?? '').replaceAll(uuid, '{id}');
  return {
    name: `${method} ${template}`,
    kind: SpanKind.CLIENT,
    attributes: () => {
      const { protocol, hostname, port } = new URL(origin);
      return {
        'http.request.method': method,
        'url.template': template,
        'url.full': `${origin}${template}`,
        'server.address': hostname,
        'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
        ...(attempt > 1 ? { 'http.request.resend_count': attempt - 1 } : {}),
      };
    },
  };
}
