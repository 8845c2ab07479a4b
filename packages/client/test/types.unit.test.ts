import { authRoutes, notificationsRoutes, tasksRoutes, type Route } from '@taskwire/contracts';
import { expect } from 'chai';
import type { z } from 'zod';
import type { OperationTypes } from '../src/generated/operation-types.ts';
import { operations } from '../src/generated/operations.ts';

type RouteTable = typeof authRoutes & typeof notificationsRoutes & typeof tasksRoutes;
type Named = { [Key in keyof RouteTable as RouteTable[Key]['operationId']]: RouteTable[Key] };

/** Routes by operation id. Those of dead letters get their ids at run time. */
type RouteOf<Id extends keyof OperationTypes> = Id extends `${infer Verb}TasksDeadLetter${infer Plural}`
  ? DeadLetterRoute<typeof tasksRoutes, `${Verb}DeadLetter${Plural}`>
  : Id extends `${infer Verb}NotificationsDeadLetter${infer Plural}`
    ? DeadLetterRoute<typeof notificationsRoutes, `${Verb}DeadLetter${Plural}`>
    : Id extends keyof Named
      ? Named[Id]
      : never;
type DeadLetterRoute<Routes, Name extends string> = Name extends keyof Routes ? Routes[Name] : never;

/** Treats `x?: T` and `x?: T | undefined` of a type as one, and spells out its parts. */
type Plain<T> = T extends readonly (infer Item)[]
  ? Plain<Item>[]
  : T extends object
    ? { [Key in keyof T as undefined extends T[Key] ? never : Key]: Plain<T[Key]> } & {
        [Key in keyof T as undefined extends T[Key] ? Key : never]?: Plain<Exclude<T[Key], undefined>>;
      } extends infer Joined
      ? { [Key in keyof Joined]: Joined[Key] }
      : never
    : T;

type Same<A, B> = (<X>() => X extends Plain<A> ? 1 : 2) extends <X>() => X extends Plain<B> ? 1 : 2 ? true : false;

type Field<T, Name extends string> = T extends { [Key in Name]?: infer Value } ? Exclude<Value, undefined> : never;
type Given<R, Name extends 'body' | 'params' | 'query'> = R extends { [Key in Name]: infer Schema extends z.ZodType }
  ? z.input<Schema>
  : never;
type Answer<R> = R extends { responses: infer Responses }
  ? Responses[keyof Responses] extends infer Schema
    ? Schema extends z.ZodType
      ? z.output<Schema>
      : void
    : never
  : never;
/** A response without a body, which the generator calls unknown for some statuses. */
type AnswerText<T> = unknown extends T ? void : T;

/** A number is text in a URL. */
type WithNumbers<T> = [T] extends [never]
  ? never
  : {
      [Key in keyof T]: Key extends 'limit' | 'wait' ? number | (undefined extends T[Key] ? undefined : never) : T[Key];
    };

type Differences = {
  [Id in keyof OperationTypes]: [
    Same<Field<OperationTypes[Id]['input'], 'body'>, Given<RouteOf<Id>, 'body'>> extends true ? never : `body of ${Id}`,
    Same<Field<OperationTypes[Id]['input'], 'path'>, Given<RouteOf<Id>, 'params'>> extends true
      ? never
      : `path of ${Id}`,
    Same<Field<OperationTypes[Id]['input'], 'query'>, WithNumbers<Given<RouteOf<Id>, 'query'>>> extends true
      ? never
      : `query of ${Id}`,
    Same<AnswerText<OperationTypes[Id]['answer']>, Answer<RouteOf<Id>>> extends true ? never : `answer of ${Id}`,
  ][number];
}[keyof OperationTypes];

describe('The generated types', () => {
  it('equal the zod types of the contracts, for each body, path, query and response', () => {
    // a difference is a compiler error that names the operation
    const differences: Differences[] = [];
    const check: [Differences] extends [never] ? true : Differences = true;
    expect([check, differences]).to.deep.equal([true, []]);
  });

  it('would differ by one optional field, one value of an enum, or one null (canary)', () => {
    const checks: [
      Same<{ a: string }, { a?: string }>,
      Same<'a' | 'b', 'a'>,
      Same<{ a: { b: string }[] }, { a: { b: string | null }[] }>,
    ] = [false, false, false];
    const same: Same<{ a: { b?: string | undefined }[] }, { a: { b?: string }[] }> = true;
    expect([...checks, same]).to.deep.equal([false, false, false, true]);
  });
});

describe('The table of operations', () => {
  const routes: Route[] = [authRoutes, tasksRoutes, notificationsRoutes].flatMap((named) =>
    Object.values<Route>(named),
  );

  it('has every operation of the contracts, except those of the OpenID provider', () => {
    const ids = Object.values(operations).flatMap((group) => Object.values(group).map(({ id }) => id));
    expect(ids).to.have.members(routes.filter(({ tag }) => tag !== 'OAuth').map(({ operationId }) => operationId));
  });
});
