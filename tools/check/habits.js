// Lint rules of the project that no ready-made rule covers, as a plugin of oxlint (https://oxc.rs/docs/guide/usage/linter/js-plugins).

/** A rule that reports each node that the selector matches. */
const forbid = (selector, message) => ({
  meta: { type: 'problem' },
  create: (context) => ({ [selector]: (node) => context.report({ node, message }) }),
});

export default {
  meta: { name: 'habits' },
  rules: {
    'no-enum': forbid('TSEnumDeclaration', 'Node strips types and cannot strip an enum; use a union of strings.'),
    'no-anonymous-export-all': forbid(
      'ExportAllDeclaration[exported=null]',
      'Name what a module exports; `export *` hides it.',
    ),
    'no-default-export': forbid('ExportDefaultDeclaration', 'Export by name, so that one thing has one name.'),
    'no-boolean-parameter': forbid(
      'FunctionDeclaration[id.name!=/^set[A-Z]/] > Identifier.params[typeAnnotation.typeAnnotation.type="TSBooleanKeyword"]',
      'A boolean that switches behaviour reads as f(true); make two functions, or an option with a name.',
    ),
    'no-sleep': forbid(
      'NewExpression[callee.name="Promise"] CallExpression[callee.name="setTimeout"]',
      'A test that sleeps is slow or wrong; wait for a condition, an event or a tick.',
    ),
  },
};
