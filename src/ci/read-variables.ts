import * as v from 'valibot';
import { DrayageError } from '../errors.ts';
import { SERVER_ADDRESS } from '../text/server-address.ts';
import type { Env } from './origin.ts';

/** Decimal digits, at most as many as a number of 64 bits has: an ID is part of names of folders and tags. */
export const idVariable: v.GenericSchema<unknown, string> = v.pipe(v.string(), v.regex(/^\d{1,20}$/));
/** A variable that must be set, to one line without control characters. */
export const textVariable: v.GenericSchema<unknown, string> = v.pipe(
  v.string(),
  v.regex(/^[^\p{Cc}\p{Zl}\p{Zp}]+$/u),
);
/** An address of http or https, without a user. */
export const addressVariable: v.GenericSchema<unknown, string> = v.pipe(v.string(), v.regex(SERVER_ADDRESS));
/** A commit's hash, in full. */
export const commitVariable: v.GenericSchema<unknown, string> = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{40,64}$/),
);

/**
 * Reads variables of a job.
 * @param ci the name of its CI for people, and how the job passes on its variables
 * @throws {@link DrayageError} `USAGE` naming the first one that is absent or malformed
 */
export function readVariables<T>(
  schema: v.GenericSchema<unknown, T>,
  env: Env,
  { title, hint }: { title: string; hint: string },
): T {
  const result = v.safeParse(schema, env, { abortEarly: true });
  if (result.success) return result.output;
  const name = v.getDotPath(result.issues[0]) ?? '';
  const state = env[name] ? `is malformed: ${JSON.stringify(env[name])}` : 'is not set';
  throw new DrayageError('USAGE', `the variables of this ${title} job are incomplete: ${name} ${state}`, {
    reason: 'CI_VARIABLE',
    actual: env[name],
    hint,
  });
}
