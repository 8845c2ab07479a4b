export { EnvError, readEnv, readEnvOrExit } from './read-env.ts';
export * as fields from './fields.ts';
