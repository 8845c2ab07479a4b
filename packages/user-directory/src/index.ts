export type { Change, OnApplied } from './applied-change.ts';
export { createUserDirectory, type UserDirectory, type UserDirectoryOptions } from './directory.ts';
export type { UserEvent, UserEventType } from './events.ts';
export type { IntroduceMissed } from './introductions.ts';
export { userDirectoryMigrations, userDirectoryRetention } from './migrations.ts';
export type { ReadThrough } from './read-through.ts';
export type { Rebuilt, Reconciler } from './reconciler.ts';
export type { DirectoryUser, UserState } from './user.ts';
export { createUsersClient, type UsersClient, type UsersPage } from './users-client.ts';
