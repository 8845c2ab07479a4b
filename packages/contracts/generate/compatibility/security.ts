import { breaking, note, type Finding } from './finding.ts';
import { array, object, same, strings, type Json } from './json.ts';

/**
 * Alternatives, each with the schemes that it requires and their scopes. The absence of requirements counts as one alternative that requires nothing.
 */
function alternativesOf(security: unknown): Json[] {
  const listed = array(security);
  return listed.length === 0 ? [{}] : listed;
}

/** Differences in the security requirements of an operation: credentials that gave access before must still give access. */
export function securityFindings(name: string, before: unknown, after: unknown): Finding[] {
  const [was, is] = [alternativesOf(before), alternativesOf(after)];
  const found = [
    ...was.filter((each) => !is.some((other) => suffices(each, other))).map((each) => breaking(name, `no longer accepts ${describe(each)}`)),
    ...is.filter((each) => !was.some((other) => suffices(each, other))).map((each) => note(name, `also accepts ${describe(each)}`)),
  ];
  return found.length > 0 || same(was, is) ? found : [note(name, `accepts ${is.map(describe).join(' or ')}`)];
}

/** Whether credentials that satisfy one alternative also satisfy the other. */
function suffices(given: Json, required: Json): boolean {
  return Object.entries(required).every(
    ([scheme, scopes]) => scheme in given && strings(scopes).every((scope) => strings(given[scheme]).includes(scope)),
  );
}

function describe(alternative: Json): string {
  const schemes = Object.entries(alternative).map(([scheme, scopes]) => [scheme, ...strings(scopes)].join(' '));
  return schemes.length === 0 ? 'anyone' : schemes.join(' with ');
}

/** Differences in the security schemes that exist in both versions: how credentials are sent, and how tokens are obtained. */
export function schemeFindings(before: Json, after: Json): Finding[] {
  const [was, is] = [before, after].map((document) => object(object(document['components'])['securitySchemes']));
  return Object.entries(was ?? {}).flatMap(([name, scheme]) => {
    const [earlier, later] = [withoutText(object(scheme)), withoutText(object(is?.[name]))];
    return !(name in (is ?? {})) || same(earlier, later) ? [] : [breaking(`scheme ${name}`, 'changed')];
  });
}

/** A scheme without its descriptions and without scopes and token formats, which only inform readers. */
function withoutText({ description: _, bearerFormat: __, flows, ...rest }: Json): Json {
  const urls = Object.entries(object(flows)).map(([flow, each]) => [flow, { ...object(each), scopes: undefined }] as const);
  return { ...rest, flows: Object.fromEntries(urls) };
}
