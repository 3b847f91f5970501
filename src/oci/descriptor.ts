import * as v from 'valibot';
import type { Digest } from './digest.ts';
import { digestSchema, documentObject, optional, sizeSchema, stringsSchema } from './parse.ts';
import type { Platform } from './platform.ts';
import { platformSchema } from './platform.ts';

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
  /** The content itself, base64. Never trusted: the blob is read and checked. */
  data?: string | undefined;
}

/** Schema of a descriptor; unknown properties are kept. */
export const descriptorSchema: v.GenericSchema<unknown, Descriptor> = documentObject({
  mediaType: v.pipe(v.string(), v.maxLength(255)),
  digest: digestSchema,
  size: sizeSchema,
  annotations: optional(stringsSchema),
  platform: optional(platformSchema),
  artifactType: optional(v.string()),
  urls: optional(v.array(v.string())),
  data: optional(v.string()),
});

/** The three properties that identify content, without annotations and others. */
export function bareDescriptor({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
