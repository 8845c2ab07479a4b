import { defineConfig } from 'oxlint';

// Import boundaries, names of files and reads of process.env are checked by tools/check/boundary-rules.ts.

/** JSON.parse and libraries also return `any`. Such a value may be given a type, but must not be used without one. */
const unsafe = ['argument', 'call', 'member-access', 'return'].map((use) => `typescript/no-unsafe-${use}`);

/** A test that sleeps is slow or wrong. To simulate work that takes time, use `simulateWork` from @taskwire/testing. */
const sleepingByImport = {
  paths: ['node:timers/promises', 'timers/promises'].map((name) => ({
    name,
    importNames: ['setTimeout', 'scheduler', 'setInterval', 'default'],
    message: 'A test that sleeps is slow or wrong; wait for a condition, an event or a tick.',
  })),
};

const all = (level: 'error' | 'off', rules: readonly string[]) =>
  Object.fromEntries(rules.map((rule) => [rule, level] as const));

export default defineConfig({
  plugins: ['eslint', 'typescript', 'oxc'],
  jsPlugins: ['./tools/check/habits.js'],
  ignorePatterns: ['contracts/**', 'packages/client/src/generated/**'],
  categories: { correctness: 'error' },
  options: { typeAware: true, reportUnusedDisableDirectives: 'error' },
  rules: {
    // the remaining rules that ESLint recommends or typescript-eslint's `strict` contains, which oxlint has in other categories
    ...all('error', [
      'no-array-constructor',
      'no-case-declarations',
      'no-empty',
      'no-fallthrough',
      'no-prototype-builtins',
      'no-regex-spaces',
      'no-unexpected-multiline',
      'no-useless-assignment',
      'no-useless-constructor',
      'no-var',
      'prefer-rest-params',
      'prefer-spread',
      'preserve-caught-error',
      'typescript/ban-ts-comment',
      'typescript/no-dynamic-delete',
      'typescript/no-empty-object-type',
      'typescript/no-explicit-any',
      'typescript/no-extraneous-class',
      'typescript/no-namespace',
      'typescript/no-non-null-asserted-nullish-coalescing',
      'typescript/no-non-null-assertion',
      'typescript/no-require-imports',
      'typescript/no-unnecessary-type-constraint',
      'typescript/no-unsafe-function-type',
      'typescript/prefer-literal-enum-member',
      'typescript/unified-signatures',
    ]),
    // the functions of our objects are closures that do not use `this`
    'typescript/unbound-method': 'off',
    // unknown values are converted to text only for logs and messages, which may show any value
    'typescript/no-base-to-string': 'off',
    'typescript/restrict-template-expressions': 'off',
    // arrays of strings are sorted by code unit
    'typescript/require-array-sort-compare': 'off',
    // mails are cut by code point
    'typescript/no-misused-spread': 'off',
    // a literal in a union with `string` documents the values that have a meaning
    'typescript/no-redundant-type-constituents': 'off',
    // the project's own
    ...all('error', [
      'habits/no-enum',
      'habits/no-anonymous-export-all',
      'habits/no-default-export',
      'habits/no-boolean-parameter',
    ]),
    // a longer file gives its reason in the disabling comment at its top
    'max-lines': ['error', { max: 300 }],
    'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'] }],
    'no-console': 'error',
    eqeqeq: ['error', 'always', { null: 'ignore' }],
    'object-shorthand': 'error',
    'prefer-const': ['error', { destructuring: 'all' }],
    'no-param-reassign': 'error',
    'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
    'typescript/consistent-type-definitions': ['error', 'type'],
  },
  overrides: [
    {
      // rules that need types: the error of a promise that is not awaited goes unnoticed
      files: ['**/*.ts'],
      rules: {
        ...all('error', [
          'typescript/no-floating-promises',
          'typescript/await-thenable',
          'typescript/no-unnecessary-type-assertion',
          'typescript/no-deprecated',
          ...unsafe,
        ]),
        'typescript/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
        'typescript/only-throw-error': ['error', { allowRethrowing: true, allowThrowingUnknown: true }],
        'typescript/prefer-promise-reject-errors': ['error', { allowThrowingAny: true, allowThrowingUnknown: true }],
        'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
        'typescript/return-await': ['error', 'error-handling-correctness-only'],
      },
    },
    {
      files: ['**/test/**/*.ts', 'e2e/**/*.ts', 'packages/{testing,pact-testing}/**/*.ts', 'tools/chaos/**/*.ts'],
      rules: {
        'habits/no-sleep': 'error',
        // tests read responses without declaring their types; a wrong assumption about a response fails the test
        ...all('off', unsafe),
        // expect(x).to.be.true and the like
        'no-unused-expressions': 'off',
        // a missing value fails the test anyway
        'typescript/no-non-null-assertion': 'off',
        // a suite of one subject stays together
        'max-lines': ['error', { max: 500 }],
      },
    },
    {
      files: ['**/test/**/*.ts', 'e2e/**/*.ts', 'packages/testing/**/*.ts'],
      rules: { 'no-restricted-imports': ['error', sleepingByImport] },
    },
    {
      // these files pause between two checks of a condition, simulate work, or run as a process that other tests observe
      files: ['packages/testing/src/{wait-for,simulate-work}.ts', 'packages/telemetry/test/support/logging-child.ts'],
      rules: { 'no-restricted-imports': 'off' },
    },
    {
      // command-line programs write to stdout
      files: [
        'examples/**',
        'infra/**',
        'tools/**',
        'services/*/src/{migrate,cli,command}.ts',
        'packages/*/{scripts,generate}/**',
        'packages/{testing,pact-testing}/**',
        'e2e/**',
      ],
      rules: { 'no-console': 'off' },
    },
    {
      // their tools ask for a default export
      files: ['oxlint.config.ts', 'tools/test/reporter.ts', 'tools/check/habits.js'],
      rules: { 'habits/no-default-export': 'off' },
    },
  ],
});
