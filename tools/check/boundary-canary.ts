type Canary = {
  /** The rule to be reported, exactly once; undefined if nothing may be reported. */
  breaks?: string;
  files: { path: string; source: string }[];
};

const breaks = (rule: string, path: string, source: string): Canary => ({ breaks: rule, files: [{ path, source }] });
const fine = (path: string, source: string): Canary => ({ files: [{ path, source }] });

/**
 * Small sources that each break one boundary, next to sources that break none. The check runs over them first, which reveals a rule that no longer
 * detects anything (a changed parser, a pattern that matches nothing).
 */
export const canary: readonly Canary[] = [
  breaks('domain', 'services/tasks/src/domain/task.ts', "import { z } from 'zod';"),
  breaks('domain', 'services/tasks/src/domain/task.ts', "import { randomInt } from 'node:crypto';"),
  breaks('domain', 'services/tasks/src/domain/task.ts', "import type { Task } from '@taskwire/contracts';"),
  breaks('domain', 'services/tasks/src/domain/task.ts', "import type { Tasks } from '../app/ports.ts';"),
  fine(
    'services/tasks/src/domain/task.ts',
    "import { problem } from '@taskwire/errors'; import { a } from './state.ts';",
  ),

  breaks('app', 'services/tasks/src/app/create.ts', "import { query } from '@taskwire/postgres';"),
  breaks('app', 'services/tasks/src/app/create.ts', "import { insert } from '../postgres/tasks.ts';"),
  breaks('app', 'services/tasks/src/app/create.ts', "import type { Row } from '../postgres/tasks.ts';"),
  breaks('app', 'services/tasks/src/app/create.ts', "import express from 'express';"),
  breaks('app', 'services/tasks/src/app/create.ts', "import { wire } from '../wire.ts';"),
  breaks('app', 'services/tasks/src/app/create.ts', "const pg = await import('pg');"),
  fine(
    'services/tasks/src/app/create.ts',
    "import type { Logger } from '@taskwire/telemetry'; import { a } from '../domain/task.ts';",
  ),
  fine(
    'services/tasks/src/app/create.ts',
    "import { task } from '@taskwire/contracts'; import type { Tasks } from './ports.ts';",
  ),

  breaks('adapters', 'services/tasks/src/http/routes.ts', "import { insert } from '../postgres/tasks.ts';"),
  breaks('adapters', 'services/tasks/src/http/routes.ts', "import type { Row } from '../postgres/tasks.ts';"),
  breaks('adapters', 'services/tasks/src/messaging/handlers.ts', "export { client } from '../clients/auth.ts';"),
  breaks('adapters', 'services/tasks/src/postgres/tasks.ts', "import { env } from '../env.ts';"),
  fine(
    'services/tasks/src/http/routes.ts',
    "import { create } from '../app/create.ts'; import { bind } from '@taskwire/http-server';",
  ),

  breaks('env', 'services/tasks/src/env.ts', "import { a } from './app/create.ts';"),
  breaks('root', 'services/tasks/src/main.ts', "import { insert } from './postgres/tasks.ts';"),
  breaks('root', 'services/tasks/src/migrate.ts', "import { create } from './app/create.ts';"),
  breaks('cli', 'services/auth/src/cli/main.ts', "import { insert } from '../postgres/users.ts';"),
  breaks('cli', 'services/auth/src/cli/user-commands.ts', "import { render } from '../oidc/pages/html.ts';"),
  fine(
    'services/auth/src/cli/user-commands.ts',
    "import { wire } from './wire.ts'; import { add } from '../app/add.ts';",
  ),
  fine(
    'services/auth/src/cli/wire.ts',
    "import { a } from '../oidc/accounts.ts'; import { b } from '../postgres/users.ts';",
  ),
  breaks('adapters', 'services/auth/src/oidc/accounts.ts', "import { insert } from '../postgres/users.ts';"),
  fine('services/tasks/src/main.ts', "import { wire } from './wire.ts'; import { env } from './env.ts';"),
  fine('services/tasks/src/wire.ts', "import { a } from './http/routes.ts'; import { b } from './postgres/tasks.ts';"),
  fine(
    'services/auth/src/wire/oidc.ts',
    "import { a } from '../oidc/accounts.ts'; import { b } from '../postgres/users.ts';",
  ),
  breaks('adapters', 'services/auth/src/oidc/accounts.ts', "import { storage } from '../wire/storage.ts';"),

  breaks('service-apart', 'services/tasks/src/wire.ts', "import { wire } from '@taskwire/service-auth';"),
  breaks('service-apart', 'services/tasks/src/wire.ts', "import { wire } from '../../auth/src/wire.ts';"),
  breaks('service-apart', 'services/tasks/test/a.unit.test.ts', "import { wire } from '../../auth/src/wire.ts';"),
  breaks('service-apart', 'packages/inbox/src/index.ts', "import { wire } from '../../../services/auth/src/wire.ts';"),

  breaks('service-apart', 'infra/local/suite.ts', "import { wire } from '../../services/auth/src/wire.ts';"),
  fine('tools/bench/write.ts', "import { insertTask } from '../../services/tasks/src/postgres/create.ts';"),
  breaks('service-apart', 'tools/demo/demo.ts', "import { wire } from '../../services/auth/src/wire.ts';"),

  fine('tools/cli/auth.ts', "import { runCommand } from '@taskwire/service-auth/cli';"),
  breaks('package-door', 'tools/demo/demo.ts', "import { runCommand } from '@taskwire/service-auth/cli';"),
  breaks(
    'service-apart',
    'tools/cli/auth.ts',
    "import { runCommand } from '../../services/auth/src/cli/run-command.ts';",
  ),

  breaks('tools-apart', 'infra/local/suite.ts', "import { runStage } from '../../tools/test/run-stage.ts';"),
  breaks('tools-apart', 'e2e/suite.ts', "import { startTestServers } from '../tools/test/servers.ts';"),
  breaks('tools-apart', 'services/auth/src/wire.ts', "import { check } from '../../../tools/check/check.ts';"),
  breaks('tools-apart', 'packages/inbox/test/bench.ts', "import { probe } from '@taskwire/tool-bench';"),
  breaks('tools-apart', 'tools/demo/demo.ts', "import { runCommand } from '../cli/operator/command.ts';"),
  breaks('package-door', 'infra/local/suite.ts', "import { useSuite } from '../../e2e/suite.ts';"),
  breaks('package-door', 'tools/bench/tokens.ts', "import { keys } from '../../packages/http-server/src/index.ts';"),
  breaks('package-door', 'packages/inbox/test/bench.ts', "import { startSuite } from '../../../infra/local/suite.ts';"),
  fine(
    'tools/demo/demo.ts',
    "import { demoPeople } from '../../infra/local/people.ts'; import { a } from './until.ts';",
  ),
  fine('tools/test/servers.ts', "import { startPostgres } from '@taskwire/process-supervisor';"),
  fine('e2e/suite.ts', "import { startSuite } from '../infra/local/suite.ts';"),
  fine('e2e/auth-command.ts', "import { runCommand } from '../services/auth/src/cli/run-command.ts';"),
  breaks('service-apart', 'e2e/auth-command.ts', "import { wire } from '../services/auth/src/wire.ts';"),

  breaks('package-order', 'packages/rabbit/src/rabbit.ts', "import { createRelay } from '@taskwire/outbox';"),
  breaks('package-order', 'packages/rabbit/src/rabbit.ts', "import type { Relay } from '@taskwire/outbox';"),
  breaks('package-order', 'packages/rabbit/src/rabbit.ts', "import { a } from '@taskwire/not-in-the-order';"),
  breaks('package-order', 'packages/rabbit/test/a.unit.test.ts', "import { createRelay } from '@taskwire/outbox';"),
  fine('packages/outbox/test/a.unit.test.ts', "import { createRelay } from '@taskwire/outbox';"),
  breaks('package-order', 'packages/outbox/src/relay.ts', "import { createRelay } from '@taskwire/outbox';"),
  fine('packages/outbox/src/relay.ts', "import { createRabbit } from '@taskwire/rabbit';"),
  breaks(
    'package-door',
    'packages/outbox/src/relay.ts',
    "import { supervise } from '@taskwire/rabbit/src/supervise.ts';",
  ),
  breaks('package-door', 'packages/outbox/src/relay.ts', "import { supervise } from '../../rabbit/src/supervise.ts';"),

  breaks('test-only', 'packages/outbox/src/relay.ts', "import { waitFor } from '@taskwire/testing';"),
  breaks('test-only', 'services/auth/src/wire.ts', "import { exampleToken } from '@taskwire/pact-testing';"),
  breaks('test-only', 'packages/contracts/src/index.ts', "import { allDocuments } from '../generate/documents.ts';"),
  breaks('test-only', 'services/auth/src/main.ts', "import { startPostgres } from '@taskwire/process-supervisor';"),
  breaks('test-only', 'services/auth/src/main.ts', "import { expect } from 'chai';"),
  breaks('test-only', 'services/auth/src/http/routes.ts', "import { fake } from '../../test/fake.ts';"),
  fine(
    'services/auth/test/a.unit.test.ts',
    "import { waitFor } from '@taskwire/testing'; import { a } from '../src/app/a.ts';",
  ),
  fine(
    'packages/errors/test/a.unit.test.ts',
    "import { expect } from 'chai'; import { waitFor } from '@taskwire/testing';",
  ),

  breaks('environment', 'packages/rabbit/src/rabbit.ts', 'const url = process.env.AMQP_URL;'),
  breaks('environment', 'services/auth/src/http/routes.ts', "const url = process['env'];"),
  breaks('environment', 'services/auth/src/wire.ts', 'const { env } = process;'),
  breaks('environment', 'services/auth/src/cli/run-command.ts', 'run(process.env);'),
  fine('services/auth/src/cli/main.ts', 'run(process.env);'),
  breaks('environment', 'services/auth/src/postgres/users.ts', "import { env } from 'node:process';"),
  breaks('environment', 'services/auth/src/postgres/users.ts', 'const { PATH } = globalThis.process.env;'),
  fine('services/auth/src/main.ts', 'start(process.env); const { pid } = { pid: process.pid };'),

  breaks('names', 'packages/rabbit/src/utils.ts', ''),
  breaks('names', 'services/auth/src/shared/dates.ts', ''),
  fine('packages/rabbit/src/utility-belt.ts', ''),

  {
    breaks: 'cycles',
    files: [
      { path: 'packages/rabbit/src/a.ts', source: "import { b } from './b.ts';" },
      { path: 'packages/rabbit/src/b.ts', source: "export { c } from './c.ts';" },
      { path: 'packages/rabbit/src/c.ts', source: "import { a } from './a.ts';" },
    ],
  },
  {
    breaks: 'cycles',
    files: [
      { path: 'packages/rabbit/src/a.ts', source: "import { b } from './b.ts';" },
      { path: 'packages/rabbit/src/b.ts', source: "import type { A } from './a.ts';" },
    ],
  },
  {
    breaks: 'cycles',
    files: [
      { path: 'packages/rabbit/src/a.ts', source: "import type { B } from './b.ts';" },
      { path: 'packages/rabbit/src/b.ts', source: "export type { A } from './a.ts';" },
    ],
  },
  {
    files: [
      { path: 'packages/rabbit/src/a.ts', source: "import { b } from './b.ts'; import type { C } from './c.ts';" },
      { path: 'packages/rabbit/src/b.ts', source: "import type { C } from './c.ts';" },
    ],
  },
];
