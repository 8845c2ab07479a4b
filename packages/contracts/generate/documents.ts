import { authRoutes } from '../src/rest/auth.ts';
import { notificationsRoutes } from '../src/rest/notifications.ts';
import type { Route } from '../src/rest/route.ts';
import { tasksRoutes } from '../src/rest/tasks.ts';
import { permissionsDocument } from './access-text.ts';
import { asyncApiDocument, eventSchema, eventTypes } from './events.ts';
import { openApiDocument } from './openapi.ts';

const services: Readonly<Record<string, { title: string; version?: string; port: number; routes: Readonly<Record<string, Route>> }>> = {
  auth: { title: 'Taskwire Auth', version: '1.1.0', port: 3001, routes: authRoutes },
  tasks: { title: 'Taskwire Tasks', port: 3002, routes: tasksRoutes },
  notifications: { title: 'Taskwire Notifications', port: 3003, routes: notificationsRoutes },
};

/** A document and the path of its file. */
export type Document = { path: string; content: unknown };

/**
 * All generated documents with their paths below `contracts/`. Routes for services have separate documents, because the gateway does not expose them,
 * and front ends should not see routes that they cannot call.
 */
export function allDocuments(): Document[] {
  return [
    ...Object.entries(services).flatMap(([name, service]) => openApiDocuments(name, service)),
    { path: 'permissions.md', content: permissionsDocument({ Auth: authRoutes, Tasks: tasksRoutes, Notifications: notificationsRoutes }) },
    { path: 'asyncapi.yaml', content: asyncApiDocument() },
    ...eventTypes.map((type) => ({ path: `events/${type}.schema.json`, content: eventSchema(type) })),
  ];
}

function openApiDocuments(name: string, { title, version, port, routes }: (typeof services)[string]): Document[] {
  const isInternal = (route: Route) => route.access.kind === 'service' && route.access.public !== true;
  const publicRoutes = Object.values(routes).filter((route) => !isInternal(route));
  const internalRoutes = Object.values(routes).filter(isInternal);
  const open = openApiDocument({
    title,
    ...(version === undefined ? {} : { version }),
    description: 'JSON with names in snake_case and times in ISO 8601 UTC. Lists are paginated by cursor. Errors are problem documents (RFC 9457).',
    serverUrl: '/',
    routes: publicRoutes,
  });
  if (internalRoutes.length === 0) return [{ path: `openapi/${name}.json`, content: open }];
  const internal = openApiDocument({
    title: `${title}, for services`,
    ...(version === undefined ? {} : { version }),
    description: 'These operations require machine-to-machine tokens. The gateway does not route them.',
    serverUrl: `http://127.0.0.1:${port}`,
    routes: internalRoutes,
  });
  return [
    { path: `openapi/${name}.json`, content: open },
    { path: `openapi/${name}.internal.json`, content: internal },
  ];
}
