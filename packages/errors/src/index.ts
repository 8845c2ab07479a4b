export { problemTypes, type ProblemCode } from './codes.ts';
export { errorText, problem, Problem, type FieldError, type ProblemExtra } from './problem.ts';
