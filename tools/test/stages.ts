import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isAbsolute, relative } from 'node:path';

export type Stage = {
  name: string;
  pattern: string;
  /** The prerequisite: rabbitmq-server and nginx installed, or PostgreSQL and RabbitMQ running. */
  needs: 'nothing' | 'programs' | 'servers';
  mochaArgs: string[];
  timeoutMinutes: number;
  /** The folders of its files; without them, all folders with tests. */
  folders?: string;
  /** Folders whose files another stage runs. */
  except?: string;
  /** The pattern of files that another stage runs. */
  without?: string;
  /** Whether its files measure time, so that it runs before the lanes of the others, with nothing beside it. */
  runsAlone?: true;
  /** Whether its files depend on each other, so that one machine must run them all. */
  isUndivided?: true;
};

/** Stages that run one after the other, beside the other lanes. */
export type Lane = readonly Stage[];

/** Three times what all of `npm test` should take on two idle cores: enough for a slower machine, and a hang is still detected. */
const timeoutMinutes = 15;

/** The settings shared by the end-to-end tests and the client tests: one suite for all files. */
const onOneSuite = { needs: 'programs' as const, mochaArgs: ['--require', './e2e/suite.ts'], timeoutMinutes };

/** Two processes on two cores; with three, a run takes as long, and the servers keep some tests waiting too long. More than four never pay. */
const parallel = ['--parallel', '--jobs', String(Math.min(4, Math.max(2, availableParallelism())))];

/** Folders whose component tests follow the short stages, so that all lanes end at about the same time; they take a quarter of the component tests' time. */
const inShortLane =
  '{infra/*,tools/*,packages/{dead-letters,http-client,postgres,process-supervisor},services/notifications}/test';

/**
 * Component tests share only the servers: each file has its own databases and vhosts, so several run at once. The stages of the other lanes mostly
 * wait, and the end-to-end tests and the launcher's have servers of their own. Pact files are written by several test files, and the end-to-end tests
 * stop and start processes of one suite, so those run sequentially.
 */
const lanes: Lane[] = [
  [
    {
      name: 'component',
      pattern: '*.component.test.ts',
      except: inShortLane,
      needs: 'servers',
      mochaArgs: parallel,
      timeoutMinutes,
    },
  ],
  [{ name: 'end to end', pattern: '*.e2e.test.ts', ...onOneSuite }],
  [
    { name: 'unit', pattern: '*.unit.test.ts', needs: 'nothing', mochaArgs: [], timeoutMinutes },
    { name: 'pact', pattern: '*.pact.test.ts', needs: 'servers', mochaArgs: [], timeoutMinutes, isUndivided: true },
    { name: 'launcher', pattern: '*.launcher.test.ts', needs: 'programs', mochaArgs: [], timeoutMinutes },
    {
      name: 'component, third lane',
      pattern: '*.component.test.ts',
      folders: inShortLane,
      needs: 'servers',
      mochaArgs: parallel,
      timeoutMinutes,
    },
  ],
];

/** The stages of `npm run clients`: clients that need system programs besides those of the suite. */
const clientLanes: Lane[] = [[{ name: 'clients', pattern: '*.client.test.ts', ...onOneSuite }]];

/** Component test files that test more in a drill: larger tables, more rounds, deeper headers. */
const alsoDrills = 'plans.component,order.component,poison.component,claimers.component';

/**
 * Drills that measure no time, or allow several times the time that they take on two busy cores. The others run alone, and so does a new one until it
 * is named here.
 */
const unhurried = [
  'judgement',
  'crashes',
  'unwritable',
  'killed',
  'outage',
  'saturated-key',
  'messaging',
  'partitions',
];
/** The same of drills that start all servers that they need. */
const unhurriedOnOwnServers = ['start', 'rules', 'restore'];

const drillsNamed = (names: readonly string[]) => `{${names.join()}}.drill.test.ts`;

/** The same of the end-to-end drills. */
const unhurriedEndToEnd =
  '{account-mail,client-faults,client-runtimes.browser,documented-lines,key-rotation}.e2e-drill.test.ts';

/**
 * The stages of `npm run drills`: first, alone, the tests that measure time; then, side by side, the properties with many runs, the drills that mostly
 * wait for processes to start and end, and the end-to-end faults.
 */
const drillLanes: Lane[] = [
  [
    {
      name: 'drills that measure time',
      pattern: '*.drill.test.ts',
      without: drillsNamed([...unhurried, ...unhurriedOnOwnServers]),
      needs: 'servers',
      mochaArgs: [],
      timeoutMinutes: 30,
      runsAlone: true,
    },
    {
      name: 'end to end, measuring time',
      pattern: '*.e2e-drill.test.ts',
      without: unhurriedEndToEnd,
      ...onOneSuite,
      timeoutMinutes: 30,
      runsAlone: true,
    },
  ],
  [
    {
      name: 'properties',
      pattern: '*.property.*.test.ts',
      needs: 'servers',
      mochaArgs: parallel,
      timeoutMinutes: 60,
    },
  ],
  [
    {
      name: 'drills',
      pattern: `{${drillsNamed(unhurried)},{${alsoDrills}}.test.ts}`,
      needs: 'servers',
      mochaArgs: [],
      timeoutMinutes: 60,
    },
  ],
  [
    { name: 'end to end', pattern: `{faults.e2e.test.ts,${unhurriedEndToEnd}}`, ...onOneSuite, timeoutMinutes: 60 },
    {
      name: 'drills on servers of their own',
      pattern: drillsNamed(unhurriedOnOwnServers),
      needs: 'programs',
      mochaArgs: [],
      timeoutMinutes: 60,
    },
  ],
];

/** The lanes of one of the commands that run tests; `npm test` is the one without a name. */
export function lanesFor(command = ''): readonly Lane[] {
  const named: Readonly<Record<string, readonly Lane[]>> = {
    clients: clientLanes,
    drills: drillLanes,
    rabbitmq4: [...lanes, ...drillLanes],
    // without the end-to-end tests, which run most lines and check few of them
    coverage: lanes.map((lane) => lane.filter(({ name }) => name.startsWith('component') || name === 'unit')),
  };
  return named[command] ?? lanes;
}

const folders = '{packages/*/test,services/*/test,infra/*/test,tools/*/test,e2e}';

/** The test files of a stage, in execution order; with filters, those whose path contains one of them. */
export function filesOf(stage: Stage, root: string, filters: string[]): string[] {
  const wanted = filters.map((filter) => (isAbsolute(filter) ? relative(root, filter) : filter.replace(/^\.\//, '')));
  const exclude = [
    '**/node_modules/**',
    ...(stage.except === undefined ? [] : [`${stage.except}/**`]),
    ...(stage.without === undefined ? [] : [`**/${stage.without}`]),
  ];
  const files = globSync(`${stage.folders ?? folders}/**/${stage.pattern}`, { cwd: root, exclude })
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .sort(bySequence);
  // processes that take one file after the other end together when the last files are short: infra's files are short, and tools' files are long
  return stage.mochaArgs === parallel ? files.toReversed() : files;
}

// provider verification reads the files written by the consumer tests
function bySequence(a: string, b: string): number {
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

function rank(file: string): number {
  return file.includes('provider') ? 1 : 0;
}

/** Whether a file tests the behaviour of a connection pooler. */
export function needsPooler(file: string): boolean {
  return file.includes('.pooler.');
}

/** Whether a file tests pages. */
export function needsBrowser(file: string): boolean {
  return file.includes('.browser.');
}
