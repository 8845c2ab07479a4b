export { problemTypes, type ProblemCode } from './codes.ts';
export { insufficientScope, onlyInPerson } from './scopes.ts';
export { errorText, fieldProblem, problem, Problem, type FieldError, type ProblemExtra } from './problem.ts';
