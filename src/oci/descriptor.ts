import type { Digest } from './digest.ts';
import type { Platform } from './platform.ts';

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

/** The three properties that identify content, without annotations and others. */
export function bareDescriptor({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
