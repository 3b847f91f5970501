import * as v from 'valibot';
import type { Digest } from './digest.ts';
import { digestAlgorithm, digestOf } from './digest.ts';
import { digestSchema, documentObject, optional, optionalType, sizeSchema, stringsSchema } from './parse.ts';
import type { Platform } from './platform.ts';
import { optionalPlatform } from './platform.ts';

/** Identifies content by its type, digest and size (OCI image-spec, descriptor.md). */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  /** Stored bytes. */
  size: number;
  annotations?: Record<string, string> | undefined;
  platform?: Platform | undefined;
  artifactType?: string | undefined;
  urls?: string[] | undefined;
  /** The content itself, base64. It matches digest and size; the blob is read all the same. */
  data?: string | undefined;
}

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

/** The three properties that identify content, without annotations and others. */
export function bareDescriptor({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
