export { startPgbouncer, findPgbouncer, type PgbouncerOptions } from './servers/pgbouncer.ts';
export { startPostgres, disposableSettings, type PostgresOptions, type PostgresServer } from './servers/postgres.ts';
export { provisionDatabase, dropDatabase, databaseUrl, type DatabaseLogin } from './servers/postgres-provision.ts';
export { copyDatabase, createTemplate } from './servers/postgres-template.ts';
export { disposableFolder } from './disposable-folder.ts';
export { startRabbit, findRabbit, type RabbitOptions, type RabbitServer } from './servers/rabbit.ts';
export { rabbitCommand } from './servers/rabbit-command.ts';
export { rabbitDefinitions, type RabbitTopology, type RabbitUser } from './servers/rabbit-definitions.ts';
export { rabbitManagement, type RabbitManagement } from './servers/rabbit-management.ts';
export { freePorts, isPortFree, isAlive, answers } from './ports.ts';
export { reapFolderIfOrphaned, releaseFolder } from './orphan-reaper.ts';
export { lastLines } from './log-tail.ts';
export {
  startProcess,
  runToEnd,
  inheritedEnv,
  killAllProcesses,
  describeExit,
  StartError,
  type ManagedProcess,
  type ProcessOptions,
  type Exit,
} from './managed-process.ts';
export {
  findAlertmanager,
  findPrometheus,
  startAlertmanager,
  startPrometheus,
  type PrometheusOptions,
} from './servers/prometheus.ts';
export { startNginx, findNginx, type NginxOptions, type NginxServer } from './servers/nginx.ts';
export { startMailCatcher, type MailCatcher, type MailCatcherOptions } from './servers/mail-catcher.ts';
export { startFaultProxy, type FaultProxy, type FaultProxyOptions } from './fault-proxy.ts';
export type { LinkFault } from './fault-line.ts';
