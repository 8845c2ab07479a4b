import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

// Import boundaries, names of files and reads of process.env are the business of tools/check/boundary-rules.ts.

/** Habits of the project that no ready-made rule knows. */
const habits = [
  { selector: 'TSEnumDeclaration', message: 'Node strips types and cannot strip an enum; use a union of strings.' },
  { selector: 'ExportAllDeclaration[exported=null]', message: 'Name what a module gives; `export *` hides it.' },
  { selector: 'ExportDefaultDeclaration', message: 'Export by name, so that one thing has one name.' },
  {
    selector:
      'FunctionDeclaration[id.name!=/^set[A-Z]/] > Identifier.params[typeAnnotation.typeAnnotation.type="TSBooleanKeyword"]',
    message: 'A boolean that switches behaviour reads as f(true); make two functions, or an option with a name.',
  },
];

/** `any` also comes in from JSON.parse and libraries; to give it a type is enough, to use it without one is not. */
const unsafe = ['argument', 'call', 'member-access', 'return'].map((use) => `@typescript-eslint/no-unsafe-${use}`);

const sleeping = {
  selector: 'NewExpression[callee.name="Promise"] CallExpression[callee.name="setTimeout"]',
  message: 'A test that sleeps is slow or wrong; wait for a condition, an event or a tick.',
};

/** The same through `node:timers/promises`. Work that takes time is simulated by name, with `simulateWork` of @taskwire/testing. */
const sleepingByImport = {
  paths: ['node:timers/promises', 'timers/promises'].map((name) => ({
    name,
    importNames: ['setTimeout', 'scheduler', 'setInterval', 'default'],
    message: sleeping.message,
  })),
};

export default tseslint.config(
  { ignores: ['**/node_modules/', '**/dist/', '**/.local/', 'contracts/', 'coverage/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error', reportUnusedInlineConfigs: 'error' } },
  eslint.configs.recommended,
  tseslint.configs.strict,
  {
    files: ['**/*.{js,mjs,ts}'],
    rules: {
      'no-restricted-syntax': ['error', ...habits],
      // a longer file says why in the disabling comment at its top
      'max-lines': ['error', { max: 300 }],
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'] }],
      'no-console': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'object-shorthand': 'error',
      'prefer-const': ['error', { destructuring: 'all' }],
      'no-param-reassign': 'error',
      // the types say so already
      'no-undef': 'off',
      '@typescript-eslint/consistent-type-definitions': ['error', 'type'],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // type arguments such as Promise<void> | void, which handlers return, are meant
      '@typescript-eslint/no-invalid-void-type': 'off',
      // callbacks that do nothing are a way to say so
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
  {
    // rules that need types: the error of a promise that is not awaited goes unnoticed
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/only-throw-error': ['error', { allowRethrowing: true, allowThrowingUnknown: true }],
      '@typescript-eslint/prefer-promise-reject-errors': [
        'error',
        { allowThrowingAny: true, allowThrowingUnknown: true },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      ...Object.fromEntries(unsafe.map((rule) => [rule, 'error'])),
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/no-deprecated': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
    },
  },
  {
    files: ['**/test/**/*.ts', 'e2e/**/*.ts', 'packages/{testing,pact-testing}/**/*.ts', 'tools/chaos/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...habits, sleeping],
      // answers are read as they come; a wrong guess of their shape fails the test
      ...Object.fromEntries(unsafe.map((rule) => [rule, 'off'])),
      // expect(x).to.be.true and the like
      '@typescript-eslint/no-unused-expressions': 'off',
      // a fixture that is not there fails the test, which is what a test is for
      '@typescript-eslint/no-non-null-assertion': 'off',
      // a suite of one subject stays together
      'max-lines': ['error', { max: 500 }],
    },
  },
  {
    files: ['**/test/**/*.ts', 'e2e/**/*.ts', 'packages/testing/**/*.ts'],
    // which pause between two looks at a condition, and simulate work
    ignores: ['packages/testing/src/{wait-for,simulate-work}.ts'],
    rules: { 'no-restricted-imports': ['error', sleepingByImport] },
  },
  {
    // programs of the command line speak on stdout
    files: [
      'infra/**',
      'tools/**',
      'services/*/src/{migrate,cli,command}.ts',
      'packages/*/scripts/**',
      'packages/{testing,pact-testing}/**',
      'e2e/**',
    ],
    rules: { 'no-console': 'off' },
  },
  {
    // their tools ask for a default export
    files: ['eslint.config.js', 'tools/test/reporter.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);
