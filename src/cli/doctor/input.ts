import type { CacheOptions } from '../cache.ts';
import type { Context } from '../context.ts';
import type { SaveCommandOptions } from '../save-request.ts';

/** Options of `drayage doctor`: those of the save that it explains, and of the cache. */
export interface DoctorCommandOptions extends SaveCommandOptions, CacheOptions {}

/** What is examined. */
export interface DoctorInput {
  /** The images of the save. */
  names: readonly string[];
  options: DoctorCommandOptions;
  context: Context;
}
