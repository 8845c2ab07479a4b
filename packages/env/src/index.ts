export { EnvError, readEnv, readEnvOrExit } from './read-env.ts';
export * as fields from './fields.ts';
export { observabilityEnv, type ObservabilityEnv } from './observability-env.ts';
export {
  clientFields,
  consumerFields,
  databaseEnv,
  serviceFields,
  type ClientEnv,
  type ServiceEnv,
} from './service-env.ts';
