import * as v from 'valibot';
import type { Descriptor } from './descriptor.ts';
import { descriptorSchema } from './descriptor.ts';
import { DOCKER_MANIFEST_LIST, OCI_INDEX } from './media-types.ts';
import { documentObject, list, optional, parseDocument, stringsSchema } from './parse.ts';

/** An image index (OCI image-spec, image-index.md) or a Docker manifest list; also a layout's index.json. */
export interface Index {
  schemaVersion: 2;
  mediaType?: string | undefined;
  artifactType?: string | undefined;
  manifests: Descriptor[];
  subject?: Descriptor | undefined;
  annotations?: Record<string, string> | undefined;
}

const indexSchema: v.GenericSchema<unknown, Index> = documentObject({
  schemaVersion: v.literal(2),
  mediaType: optional(v.picklist([OCI_INDEX, DOCKER_MANIFEST_LIST])),
  artifactType: optional(v.string()),
  manifests: list(descriptorSchema),
  subject: optional(descriptorSchema),
  annotations: optional(stringsSchema),
  layers: v.optional(v.undefined('an index must not have "layers"')),
  config: v.optional(v.undefined('an index must not have "config"')),
});

/**
 * Parses an image index. `manifests: null`, which exists, is an empty list.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseIndex(bytes: Uint8Array, what: string): Index {
  return parseDocument(indexSchema, bytes, what);
}
