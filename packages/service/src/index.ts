export { authUsers, serviceClients, type ServiceTarget } from './clients.ts';
export { runMigrations } from './run-migrations.ts';
export { remoteAuthenticator } from './remote-authenticator.ts';
export { openService } from './service.ts';
