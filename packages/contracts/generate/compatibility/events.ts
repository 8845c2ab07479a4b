import { breaking, note, type Finding } from './finding.ts';
import { object, resolve, same, unjudged, type Json } from './json.ts';
import type { Compare } from './direction.ts';
import { schemaComparison } from './schema.ts';

const judgedKeys = {
  document: new Set(['asyncapi', 'id', 'info', 'channels', 'operations', 'components', 'defaultContentType']),
  channel: new Set(['address', 'title', 'summary', 'description', 'tags', 'messages', 'bindings']),
  operation: new Set(['action', 'channel', 'title', 'summary', 'description', 'tags', 'messages', 'bindings']),
  message: new Set(['name', 'title', 'summary', 'description', 'tags', 'contentType', 'headers', 'payload', 'bindings', 'examples']),
};

/** Differences between two JSON Schemas of one event, as its consumers see them. */
export function eventFindings(before: Json, after: Json): Finding[] {
  return schemaComparison(before, after)(String(before['title']), before, after, 'response');
}

/** Differences between two AsyncAPI documents: channels, routing keys, exchanges, messages, headers. */
export function asyncApiFindings(before: Json, after: Json): Finding[] {
  const [was, is] = [object(before['channels']), object(after['channels'])];
  const compare = schemaComparison(before, after);
  return [
    ...Object.keys(was).flatMap((name) =>
      name in is ? channelFindings(name, { before, after, was: object(was[name]), is: object(is[name]) }, compare) : [breaking(`channel ${name}`, 'was removed')],
    ),
    ...Object.keys(is).filter((name) => !(name in was)).map((name) => note(`channel ${name}`, 'was added')),
    ...operationFindings(object(before['operations']), object(after['operations']), new Set(Object.keys(is))),
    ...unjudged('the document', before, after, judgedKeys.document),
  ];
}

type Pair = { before: Json; after: Json; was: Json; is: Json };

function channelFindings(name: string, { before, after, was, is }: Pair, compare: Compare): Finding[] {
  const where = `channel ${name}`;
  const [earlier, later] = [object(was['messages']), object(is['messages'])];
  return [
    ...(was['address'] === is['address'] ? [] : [breaking(where, `has the routing key ${String(is['address'])}`)]),
    ...(same(was['bindings'], is['bindings']) ? [] : [breaking(where, 'is bound differently')]),
    ...Object.keys(earlier).flatMap((message) => {
      if (!(message in later)) return [breaking(`${where} message ${message}`, 'was removed')];
      const defaults = [before, after].map((document) => document['defaultContentType']);
      const [from, to] = [resolve(before, earlier[message]), resolve(after, later[message])];
      return messageFindings(name, { contentType: defaults[0], ...from }, { contentType: defaults[1], ...to }, compare);
    }),
    // consumers of the channel would receive an unknown message
    ...Object.keys(later).filter((message) => !(message in earlier)).map((message) => breaking(`${where} message ${message}`, 'was added')),
    ...unjudged(where, was, is, judgedKeys.channel),
  ];
}

function messageFindings(name: string, was: Json, is: Json, compare: Compare): Finding[] {
  return [
    ...(was['contentType'] === is['contentType'] ? [] : [breaking(name, `is ${String(is['contentType'])} instead of ${String(was['contentType'])}`)]),
    ...(was['name'] === is['name'] ? [] : [breaking(name, `its message is named ${String(is['name'])}`)]),
    ...(same(was['bindings'], is['bindings']) ? [] : [breaking(name, 'its message is bound differently')]),
    ...compare(`${name} headers`, was['headers'], is['headers'], 'response'),
    ...compare(`${name} payload`, was['payload'], is['payload'], 'response'),
    ...unjudged(name, was, is, judgedKeys.message),
  ];
}

/** Findings for operations of channels that still exist; a removed channel is reported without its operations. */
function operationFindings(was: Json, is: Json, channels: ReadonlySet<string>): Finding[] {
  return Object.entries(was).flatMap(([name, operation]) => {
    const earlier = object(operation);
    const channel = String(object(earlier['channel'])['$ref']).replace('#/channels/', '');
    if (!channels.has(channel)) return [];
    if (!(name in is)) return [breaking(name, 'was removed')];
    const later = object(is[name]);
    const changed = ['action', 'channel', 'messages', 'bindings'].filter((key) => !same(earlier[key], later[key]));
    return [...changed.map((key) => breaking(name, `${key} changed`)), ...unjudged(name, earlier, later, judgedKeys.operation)];
  });
}
