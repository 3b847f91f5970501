import * as v from 'valibot';

/** A parsed value as a schema reads it, or what is wrong with it, in words that name the failing key. */
export type Match<T> = { value: T; problem?: undefined } | { problem: string };

/** Options of {@link match}. */
export interface MatchOptions {
  /** The value is a secret, or a part of one: the problem does not quote it. Default false. */
  isSecret?: boolean;
}

/** Reads a parsed value by a schema. */
export function match<T>(
  schema: v.GenericSchema<unknown, T>,
  value: unknown,
  { isSecret = false }: MatchOptions = {},
): Match<T> {
  const { success, output, issues } = v.safeParse(schema, value, { abortEarly: true });
  return success ? { value: output } : { problem: describeIssue(issues[0], isSecret) };
}

/** What values are called, by the type that is found or expected; others are what they are written as. */
const TYPES: Readonly<Partial<Record<string, string>>> = {
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  Array: 'a list',
  object: 'an object',
  Object: 'an object',
  loose_object: 'an object',
  record: 'an object',
  safe_integer: 'a whole number',
  iso_timestamp: 'a time',
  base64: 'base64',
};

/** What is wrong with a value of the right type, by the check that it fails. Other checks expect a value. */
const CHECKS: Readonly<Partial<Record<string, (found: string, expected: string) => string>>> = {
  regex: (found, expected) => `it is ${found}, which does not match ${expected}`,
  starts_with: (found, expected) => `it is ${found}, which does not begin with ${expected}`,
  min_length: (found, expected) => `its length is ${found}, not ${inWords(expected)}`,
  max_length: (found, expected) => `its length is ${found}, not ${inWords(expected)}`,
};

/** What is wrong with a value, in words. Checks of this project say it themselves. */
function describeIssue(issue: v.BaseIssue<unknown>, isSecret: boolean): string {
  const { type, message, input, received, expected } = issue;
  const path = v.getDotPath(issue);
  const where = path === null ? '' : `${path}: `;
  if (!message.startsWith('Invalid ')) return where + message;
  if (input === undefined) return `${where}it is missing`;
  const isQuoted = !isSecret || type.endsWith('_length');
  const found = TYPES[received] ?? (isQuoted ? received.slice(0, 200) : kindOf(input));
  const words = CHECKS[type]?.(found, expected ?? '');
  return (
    where + (words ?? `it is ${found}, not ${TYPES[type] ?? inWords(expected ?? 'of the expected form')}`)
  );
}

/** What a value is, without the value itself. */
function kindOf(value: unknown): string {
  return value === null ? 'null' : (TYPES[typeof value] ?? 'another value');
}

/** What is expected, in words: a bound, as in `<=3`, or values, as in `("a" | "b")`. */
function inWords(expected: string): string {
  const [, sign, bound] = /^([<>])=(.+)$/.exec(expected) ?? [];
  if (bound !== undefined) return `${bound} or ${sign === '<' ? 'less' : 'more'}`;
  const [, values] = /^\((.+)\)$/.exec(expected) ?? [];
  if (values === undefined) return expected;
  return values
    .split(' | ')
    .map((value) => TYPES[value] ?? value)
    .join(' or ');
}
