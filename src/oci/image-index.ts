import * as v from 'valibot';
import type { Descriptor } from './descriptor.ts';
import { descriptorSchema } from './descriptor.ts';
import { DOCKER_MANIFEST_LIST, OCI_INDEX } from './media-types.ts';
import { parseDocument } from './parse.ts';

/** An image index (OCI image-spec, image-index.md) or a Docker manifest list; also a layout's index.json. */
export interface Index {
  schemaVersion: 2;
  mediaType?: string | undefined;
  artifactType?: string | undefined;
  manifests: Descriptor[];
  subject?: Descriptor | undefined;
  annotations?: Record<string, string> | undefined;
}

const indexSchema: v.GenericSchema<unknown, Index> = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.picklist([OCI_INDEX, DOCKER_MANIFEST_LIST])),
  artifactType: v.optional(v.string()),
  manifests: v.pipe(
    v.nullable(v.array(descriptorSchema)),
    v.transform((manifests) => manifests ?? []),
  ),
  subject: v.optional(descriptorSchema),
  annotations: v.nullish(v.record(v.string(), v.string())) as v.GenericSchema<
    unknown,
    Record<string, string> | undefined
  >,
  layers: v.optional(v.undefined('an index must not have "layers"')),
  config: v.optional(v.undefined('an index must not have "config"')),
});

/**
 * Reads an image index. `manifests: null`, which exists, reads as none.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseIndex(bytes: Uint8Array, what: string): Index {
  return parseDocument(indexSchema, bytes, what);
}
