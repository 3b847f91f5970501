import * as v from 'valibot';
import type { Digest } from './digest.ts';
import { digestSchema, optional, parseDocument, stringsSchema } from './parse.ts';
import type { Platform } from './platform.ts';

/** One step of an image's build (OCI image-spec, config.md#properties). */
export interface HistoryEntry {
  created_by?: string | undefined;
  empty_layer?: boolean | undefined;
}

/**
 * The part of an image config (config.md) that is used here. Config bytes are never rewritten: their digest is the
 * image ID.
 */
export interface ImageConfig extends Platform {
  /** RFC 3339 time of the build. */
  created?: string | undefined;
  config?: { Labels?: Record<string, string> | undefined } | undefined;
  rootfs: { diff_ids: Digest[] };
  history?: HistoryEntry[] | undefined;
}

const historySchema = v.looseObject({
  created_by: optional(v.string()),
  empty_layer: optional(v.boolean()),
});

const configSchema: v.GenericSchema<unknown, ImageConfig> = v.looseObject({
  architecture: v.nullish(v.string(), ''),
  os: v.nullish(v.string(), ''),
  variant: optional(v.string()),
  'os.version': optional(v.string()),
  created: optional(v.string()),
  config: optional(v.looseObject({ Labels: optional(stringsSchema) })),
  rootfs: v.looseObject({
    diff_ids: v.nullish(v.array(digestSchema), []),
  }),
  history: optional(v.array(historySchema)),
});

/**
 * Parses an image config. `diff_ids: null`, which an image without layers may have, is an empty list.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseConfig(bytes: Uint8Array, what: string): ImageConfig {
  return parseDocument(configSchema, bytes, what);
}

/** The platform that a config states. */
export function configPlatform(config: ImageConfig): Platform {
  const { os, architecture, variant, 'os.version': version } = config;
  return { os, architecture, ...(variant && { variant }), ...(version && { 'os.version': version }) };
}
