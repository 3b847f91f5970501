import * as v from 'valibot';
import type { Descriptor } from './descriptor.ts';
import { digestAlgorithm, digestOf } from './digest.ts';
import { documentObject } from './keys.ts';
import { digestSchema, optional, optionalType, sizeSchema, stringsSchema } from './parse.ts';
import { optionalPlatform } from './platform-schema.ts';

/** Schema of a descriptor; unknown properties are kept. Embedded content must be that of the digest. */
export const descriptorSchema: v.GenericSchema<unknown, Descriptor> = v.pipe(
  documentObject({
    mediaType: v.pipe(
      v.string(),
      v.minLength(1, 'it is empty'),
      v.maxLength(255, 'longer than 255 characters'),
    ),
    digest: digestSchema,
    size: sizeSchema,
    annotations: optional(stringsSchema),
    platform: optionalPlatform,
    artifactType: optionalType,
    urls: optional(v.array(v.string())),
    data: optional(v.string()),
  }),
  v.check((descriptor) => isDataIntact(descriptor), 'its embedded data is not the content of its digest'),
);

/** An empty text is no data, as in Go, whose decoder also passes over line ends. */
function isDataIntact({ data, digest, size }: Descriptor): boolean {
  if (data === undefined || data === '') return true;
  const bytes = Buffer.from(data, 'base64');
  const isBase64 = bytes.toString('base64') === data.replaceAll(/[\r\n]/g, '');
  return isBase64 && bytes.length === size && digestOf(bytes, digestAlgorithm(digest)) === digest;
}
