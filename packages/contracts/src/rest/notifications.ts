import { z } from 'zod';
import { deadLetterRoutes } from './dead-letters.ts';
import { notificationJourneyRoutes } from './journeys.ts';
import { defineRoute } from './route.ts';
import { idParams, listOf, notification, page } from './schemas.ts';

/** Notifications' REST API. Users see only their own notifications. */
export const notificationsRoutes = {
  listNotifications: defineRoute({
    method: 'get',
    path: '/api/v1/notifications',
    operationId: 'listNotifications',
    summary: "List the caller's notifications, newest first",
    tag: 'Notifications',
    access: { kind: 'user', scopes: ['notifications:read'] },
    query: z.strictObject({ ...page, unread: z.enum(['true', 'false']).optional().describe('true: only unread notifications; false: only read ones') }),
    responses: { 200: listOf(notification) },
    problems: ['bad_cursor'],
  }),
  countUnread: defineRoute({
    method: 'get',
    path: '/api/v1/notifications/unread_count',
    operationId: 'countUnread',
    summary: 'Count unread notifications',
    tag: 'Notifications',
    access: { kind: 'user', scopes: ['notifications:read'] },
    responses: { 200: z.object({ unread_count: z.int() }) },
  }),
  readNotification: defineRoute({
    method: 'post',
    path: '/api/v1/notifications/{id}/read',
    operationId: 'readNotification',
    summary: 'Mark a notification as read',
    tag: 'Notifications',
    access: { kind: 'user', scopes: ['notifications:write'], objects: ['recipient'] },
    params: idParams,
    repeatable: true,
    responses: { 200: notification },
    problems: ['not_found'],
  }),
  readAllNotifications: defineRoute({
    method: 'post',
    path: '/api/v1/notifications/read_all',
    operationId: 'readAllNotifications',
    summary: 'Mark all notifications as read',
    tag: 'Notifications',
    access: { kind: 'user', scopes: ['notifications:write'] },
    responses: { 200: z.object({ read: z.int().describe('the number of notifications that were unread') }) },
  }),
  ...deadLetterRoutes('notifications'),
  ...notificationJourneyRoutes,
};
