import * as v from 'valibot';
import type { Digest } from './digest.ts';
import { digestSchema, parseDocument } from './parse.ts';
import type { Platform } from './platform.ts';

/** One step of how an image was made (OCI image-spec, config.md#properties). */
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
  config?: { Labels?: Record<string, string> | null | undefined } | null | undefined;
  rootfs: { diff_ids: Digest[] };
  history?: HistoryEntry[] | null | undefined;
}

const historySchema = v.looseObject({
  created_by: v.optional(v.string()),
  empty_layer: v.optional(v.boolean()),
});

const configSchema: v.GenericSchema<unknown, ImageConfig> = v.looseObject({
  architecture: v.optional(v.string(), ''),
  os: v.optional(v.string(), ''),
  variant: v.optional(v.string()),
  'os.version': v.optional(v.string()),
  created: v.nullish(v.string()) as v.GenericSchema<unknown, string | undefined>,
  config: v.nullish(v.looseObject({ Labels: v.nullish(v.record(v.string(), v.string())) })),
  rootfs: v.looseObject({
    diff_ids: v.pipe(
      v.nullish(v.array(digestSchema), []),
      v.transform((ids) => ids ?? []),
    ),
  }),
  history: v.nullish(v.array(historySchema)),
});

/**
 * Reads an image config. `diff_ids: null`, which an image without layers may have, reads as none.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function parseConfig(bytes: Uint8Array, what: string): ImageConfig {
  return parseDocument(configSchema, bytes, what);
}

/** The platform that a config states. */
export function configPlatform(config: ImageConfig): Platform {
  const { os, architecture, variant } = config;
  return { os, architecture, ...(variant && { variant }) };
}
