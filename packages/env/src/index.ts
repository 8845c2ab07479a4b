export { EnvError, readEnv } from './read-env.ts';
export * as fields from './fields.ts';
