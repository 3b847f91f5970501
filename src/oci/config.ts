import * as v from 'valibot';
import type { Digest } from './digest.ts';
import {
  digestSchema,
  documentObject,
  listOrNone,
  optional,
  parseDocument,
  stringsSchema,
  textSchema,
} from './parse.ts';
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

/** Further keys that docker or containerd reads in a config, in its objects. */
const CONFIG_KEYS = 'id parent comment author container container_config docker_version os.features';
const RUN_KEYS =
  'User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir StopSignal ArgsEscaped Hostname Domainname AttachStdin ' +
  'AttachStdout AttachStderr Tty OpenStdin StdinOnce Image NetworkDisabled MacAddress OnBuild StopTimeout Shell';
const HEALTH_KEYS = 'Test Interval Timeout StartPeriod StartInterval Retries';

const historySchema = documentObject(
  { created_by: optional(v.string()), empty_layer: optional(v.boolean()) },
  ['created', 'author', 'comment'],
);

const runSchema = documentObject(
  { Labels: optional(stringsSchema), Healthcheck: optional(documentObject({}, HEALTH_KEYS.split(' '))) },
  RUN_KEYS.split(' '),
);

const configSchema: v.GenericSchema<unknown, ImageConfig> = documentObject(
  {
    architecture: textSchema,
    os: textSchema,
    variant: optional(v.string()),
    'os.version': optional(v.string()),
    created: optional(v.string()),
    config: optional(runSchema),
    rootfs: documentObject({ diff_ids: listOrNone(digestSchema) }, ['type']),
    history: optional(
      v.array(
        v.pipe(
          optional(historySchema),
          v.transform((entry): HistoryEntry => entry ?? {}),
        ),
      ),
    ),
  },
  CONFIG_KEYS.split(' '),
);

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
