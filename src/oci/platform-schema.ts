import * as v from 'valibot';
import { documentObject } from './keys.ts';
import { optional, textSchema } from './parse.ts';
import type { Platform } from './platform.ts';

/** Schema of a platform inside a document. */
export const platformSchema: v.GenericSchema<unknown, Platform> = documentObject(
  {
    os: textSchema,
    architecture: textSchema,
    variant: optional(v.string()),
    'os.version': optional(v.string()),
  },
  ['os.features'],
);

/** Schema of a platform that may be stated; one that says nothing is not stated. */
export const optionalPlatform: v.GenericSchema<unknown, Platform | undefined> = v.pipe(
  optional(platformSchema),
  v.transform((platform) => (platform?.os || platform?.architecture ? platform : undefined)),
);
