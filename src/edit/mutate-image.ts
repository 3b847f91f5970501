import type { ContentSink } from '../content/sink.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { Layer } from '../image/layer.ts';
import type { Image } from '../image/image.ts';
import { readImage } from '../image/image.ts';
import type { ExecutionConfig, HistoryEntry, ImageConfig } from '../oci/config.ts';
import { buildConfig, buildManifest } from '../oci/manifest.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { parseJson } from '../oci/json.ts';
import type { Document } from '../oci/manifest.ts';
import { isNonDistributable, layerCompression, ociLayerType } from '../oci/media-types.ts';
import type { PlatformOption } from '../oci/platform.ts';
import { once } from '../stream/tap.ts';

/** A layer that is put on top of an image. */
export interface AppendedLayer extends Layer {
  /** What made it, for the history (OCI image-spec, config.md#properties, `created_by`). */
  createdBy?: string | undefined;
}

/** What changes in an image. What is absent stays as it is. */
export interface ImageChanges {
  /** Labels to set; `undefined` removes one. */
  labels?: Changes | undefined;
  /** Variables to set; `undefined` removes one. The others stay, in their order. */
  env?: Changes | undefined;
  entrypoint?: readonly string[] | undefined;
  cmd?: readonly string[] | undefined;
  user?: string | undefined;
  workingDir?: string | undefined;
  /** Other properties of how it is run, under the names of the config: `ExposedPorts`; `undefined` removes one. */
  config?: Readonly<Partial<ExecutionConfig>> | undefined;
  /** Layers on top, bottom first. Their blobs are in the store already. */
  layers?: readonly AppendedLayer[] | undefined;
  /** RFC 3339 time of the new image and of the new layers. Default: the image keeps its time, the layers have none. */
  created?: string | undefined;
}

/** Options of {@link mutateImage}. */
export interface MutateOptions extends ContentOptions, PlatformOption {}

/** Texts to set; `undefined` removes one. */
type Changes = Readonly<Record<string, string | undefined>>;

/**
 * Writes a variant of an image: a config and a manifest; the layers are shared. Keys of the config that are unknown here
 * stay; annotations of the manifest do not. If layers of the image are omitted, add the variant with the annotation of the
 * image that says so. The same image and the same changes give the same bytes.
 * @param store holds the image's documents, and gets the new ones
 * @param root a manifest, or an index that contains the image for `platform`
 * @returns the new image, whose root a transaction can add
 * @throws {@link DrayageError} `NOT_FOUND`, `UNSUPPORTED`, `MALFORMED`; errors of `store`
 * @example
 * ```ts
 * import { mutateImage } from 'drayage/image';
 *
 * const [{ root }] = await layout.resolve('app:1');
 * await layout.update(async (transaction) => {
 *   const image = await mutateImage(transaction, root, { labels: { stage: 'test' }, cmd: ['/app'] });
 *   transaction.add(image, ['app:test'], {});
 * });
 * ```
 */
export async function mutateImage(
  store: ContentSource & ContentSink,
  root: Descriptor,
  changes: ImageChanges,
  options: MutateOptions = {},
): Promise<Descriptor> {
  const { signal } = options;
  const image = await readImage(store, root, options);
  const config = changedConfig(image, changes);
  const layers = [
    ...image.manifest.value.layers.map(inOciType),
    ...(changes.layers ?? []).map(({ blob }) => blob),
  ];
  const manifest = buildManifest(config.descriptor, layers);
  for (const { descriptor, bytes } of [config, manifest])
    await store.put(descriptor, once(bytes), { signal });
  return manifest.descriptor;
}

function changedConfig({ config: { bytes, descriptor, value } }: Image, changes: ImageChanges): Document {
  const { labels, env, entrypoint, cmd, user, workingDir, layers = [], created } = changes;
  // As it is written: what reads as absent, such as null, stays, too.
  const before = asObject(parseJson(bytes, `config ${descriptor.digest}`));
  const after: ImageConfig = {
    ...value,
    ...before,
    ...(created !== undefined && { created }),
    config: {
      ...asObject(before['config']),
      ...(labels && { Labels: merged(value.config?.Labels, labels) }),
      ...(env && { Env: changedEnv(value.config?.Env, env) }),
      ...(entrypoint && { Entrypoint: [...entrypoint] }),
      ...(cmd && { Cmd: [...cmd] }),
      ...(user !== undefined && { User: user }),
      ...(workingDir !== undefined && { WorkingDir: workingDir }),
      ...changes.config,
    },
    rootfs: {
      ...asObject(before['rootfs']),
      diff_ids: [...value.rootfs.diff_ids, ...layers.map(({ diffId }) => diffId)],
    },
    ...(layers.length > 0 && { history: [...fullHistory(value), ...layers.map(historyOf(created))] }),
  };
  return buildConfig(after);
}

/** A history has an entry for each layer, or is absent: then the layers so far get empty ones. */
function fullHistory({ history = [], rootfs }: ImageConfig): HistoryEntry[] {
  return history.length > 0 ? history : rootfs.diff_ids.map(() => ({}));
}

const historyOf =
  (created: string | undefined) =>
  ({ createdBy }: AppendedLayer): HistoryEntry => ({ created, created_by: createdBy });

/** `Env` is a list of `KEY=value`. */
function changedEnv(before: readonly string[] = [], changes: Changes): string[] {
  const variables = before.map((line): [string, string] => {
    const at = line.indexOf('=');
    return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
  });
  return Object.entries(merged(Object.fromEntries(variables), changes)).map(
    ([key, text]) => `${key}=${text}`,
  );
}

function merged(before: Readonly<Record<string, string>> = {}, changes: Changes): Record<string, string> {
  const all = Object.entries({ ...before, ...changes });
  return Object.fromEntries(all.flatMap(([key, text]) => (text === undefined ? [] : [[key, text]])));
}

/** Docker's media types for layers do not belong into an OCI manifest. */
function inOciType(layer: Descriptor): Descriptor {
  const compression = layerCompression(layer.mediaType);
  if (compression === undefined || isNonDistributable(layer.mediaType)) return layer;
  return { ...layer, mediaType: ociLayerType(compression) };
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
