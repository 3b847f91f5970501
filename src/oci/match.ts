import * as v from 'valibot';

/** A parsed value as a schema reads it, or what is wrong with it, in words that name the failing key. */
export type Match<T> = { value: T; problem?: undefined } | { problem: string };

/** Reads a parsed value by a schema. */
export function match<T>(schema: v.GenericSchema<unknown, T>, value: unknown): Match<T> {
  const { success, output, issues } = v.safeParse(schema, value, { abortEarly: true });
  return success ? { value: output } : { problem: describeIssue(issues[0]) };
}

/** What values of a JSON type are called; other types are what they are written as. */
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
};

/** What is wrong with a value, in words. Checks of this project say it themselves. */
function describeIssue(issue: v.BaseIssue<unknown>): string {
  const { type, message, input, received, expected } = issue;
  const path = v.getDotPath(issue);
  const where = path === null ? '' : `${path}: `;
  if (!message.startsWith('Invalid ')) return where + message;
  if (input === undefined) return `${where}it is missing`;
  const found = TYPES[received] ?? received.slice(0, 200);
  return `${where}it is ${found}, not ${TYPES[type] ?? (expected ?? 'that').replaceAll(/[()]/g, '').replaceAll(' | ', ' or ')}`;
}
