export { startPgbouncer, findPgbouncer, type PgbouncerOptions } from './pgbouncer.ts';
export { startPostgres, disposableSettings, type PostgresOptions, type PostgresServer } from './postgres.ts';
export { provisionDatabase, dropDatabase, databaseUrl, type DatabaseLogin } from './postgres-provision.ts';
export { copyDatabase, createTemplate } from './postgres-template.ts';
export { disposableFolder } from './disposable-folder.ts';
export { startRabbit, findRabbit, type RabbitOptions, type RabbitServer } from './rabbit.ts';
export { rabbitDefinitions, type RabbitTopology, type RabbitUser } from './rabbit-definitions.ts';
export { rabbitManagement, type RabbitManagement } from './rabbit-management.ts';
export { freePorts, isPortFree, isAlive, answers } from './ports.ts';
export { guardFolder, releaseFolder } from './guard.ts';
export { lastLines } from './log-tail.ts';
export {
  startPart,
  runToEnd,
  inheritedEnv,
  killAllParts,
  describeEnd,
  StartError,
  type Part,
  type PartOptions,
  type Death,
} from './part.ts';
export { startNginx, findNginx, type NginxOptions, type NginxServer } from './nginx.ts';
export { startMailCatcher, type MailCatcher, type MailCatcherOptions } from './mail-catcher.ts';
export { startFaultProxy, type FaultProxy, type FaultProxyOptions } from './fault-proxy.ts';
export type { LinkFault } from './fault-line.ts';
