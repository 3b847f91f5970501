import * as v from 'valibot';
import type { Digest } from './digest.ts';
import { documentObject } from './keys.ts';
import {
  digestSchema,
  listOrNone,
  objectSchema,
  optional,
  parseDocument,
  stringsSchema,
  textSchema,
} from './parse.ts';
import type { Platform } from './platform.ts';

/** One step of an image's build (OCI image-spec, config.md#properties). */
export interface HistoryEntry {
  /** RFC 3339 time of the step. */
  created?: string | undefined;
  /** The command that made the layer. */
  created_by?: string | undefined;
  author?: string | undefined;
  comment?: string | undefined;
  /** Whether the step made no layer. */
  empty_layer?: boolean | undefined;
}

/** How docker checks whether a container works. Times are in nanoseconds; 0 means: as the image below it. */
export interface Healthcheck {
  /** `['NONE']`, `['CMD', ...args]`, `['CMD-SHELL', command]`; empty: as the image below it. */
  Test?: string[] | undefined;
  Interval?: number | undefined;
  Timeout?: number | undefined;
  StartPeriod?: number | undefined;
  StartInterval?: number | undefined;
  Retries?: number | undefined;
}

/** How a container of the image is run (config.md#properties, `config`), with docker's extensions. */
export interface ExecutionConfig {
  /** `user`, `uid`, `user:group`, `uid:gid`. */
  User?: string | undefined;
  /** Its keys are ports: `80/tcp`. */
  ExposedPorts?: Record<string, unknown> | undefined;
  /** `KEY=value`. */
  Env?: string[] | undefined;
  Entrypoint?: string[] | undefined;
  Cmd?: string[] | undefined;
  /** Its keys are paths. */
  Volumes?: Record<string, unknown> | undefined;
  WorkingDir?: string | undefined;
  Labels?: Record<string, string> | undefined;
  /** A name or a number: `SIGTERM`, `15`. */
  StopSignal?: string | undefined;
  /** Windows: whether `Cmd` or `Entrypoint` is one line, in which arguments are quoted. */
  ArgsEscaped?: boolean | undefined;
  /** Docker's. */
  Healthcheck?: Healthcheck | undefined;
  /** Docker's: instructions for images that are built upon this one. */
  OnBuild?: string[] | undefined;
  /** Docker's: the shell of commands that are one line. */
  Shell?: string[] | undefined;
  /** Docker's: how long a stopped container may take to end, in seconds. */
  StopTimeout?: number | undefined;
}

/** An image config (OCI image-spec, config.md), with docker's extensions. Its digest is the image ID. */
export interface ImageConfig extends Platform {
  /** RFC 3339 time of the build. */
  created?: string | undefined;
  author?: string | undefined;
  /** Features of the operating system that the image needs (Windows). */
  'os.features'?: string[] | undefined;
  config?: ExecutionConfig | undefined;
  rootfs: { type?: string | undefined; diff_ids: Digest[] };
  history?: HistoryEntry[] | undefined;
  /** Docker's: a remark on the image. */
  comment?: string | undefined;
  /** Docker's: the version that built the image. */
  docker_version?: string | undefined;
}

/** Further keys that docker or containerd reads in a config, in its objects. */
const CONFIG_KEYS = 'id parent container container_config';
const EXECUTION_KEYS =
  'Hostname Domainname AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce Image NetworkDisabled MacAddress';

const text = optional(v.string());
const flag = optional(v.boolean());
const number = optional(v.number());
const keys = optional(objectSchema);
const textList: v.GenericSchema<unknown, string[]> = v.array(textSchema);
const texts = optional(textList);
/** Docker takes one text for a list of one. */
const words = optional(
  v.pipe(
    v.unknown(),
    v.transform((value) => (typeof value === 'string' ? [value] : value)),
    textList,
  ),
);

const historySchema = documentObject({
  created: text,
  created_by: text,
  author: text,
  comment: text,
  empty_layer: flag,
});

const executionSchema = documentObject(
  {
    User: text,
    ExposedPorts: keys,
    Env: texts,
    Entrypoint: words,
    Cmd: words,
    Volumes: keys,
    WorkingDir: text,
    Labels: optional(stringsSchema),
    StopSignal: text,
    ArgsEscaped: flag,
    Healthcheck: optional(
      documentObject({
        Test: texts,
        Interval: number,
        Timeout: number,
        StartPeriod: number,
        StartInterval: number,
        Retries: number,
      }),
    ),
    OnBuild: texts,
    Shell: words,
    StopTimeout: number,
  },
  EXECUTION_KEYS.split(' '),
);

const configSchema: v.GenericSchema<unknown, ImageConfig> = documentObject(
  {
    architecture: textSchema,
    os: textSchema,
    variant: text,
    'os.version': text,
    'os.features': texts,
    created: text,
    author: text,
    config: optional(executionSchema),
    rootfs: documentObject({ type: text, diff_ids: listOrNone(digestSchema) }),
    history: optional(
      v.array(
        v.pipe(
          optional(historySchema),
          v.transform((entry): HistoryEntry => entry ?? {}),
        ),
      ),
    ),
    comment: text,
    docker_version: text,
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
