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
  labels?: Readonly<Record<string, string | undefined>> | undefined;
  /** Variables to set; `undefined` removes one. The others stay, in their order. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  entrypoint?: readonly string[] | undefined;
  cmd?: readonly string[] | undefined;
  user?: string | undefined;
  workingDir?: string | undefined;
  /** Other properties of how it is run, under the names of the config: `ExposedPorts`; `undefined` removes one. */
  config?:
    | Readonly<Omit<ExecutionConfig, 'Labels' | 'Env' | 'Entrypoint' | 'Cmd' | 'User' | 'WorkingDir'>>
    | undefined;
  /** Layers on top, bottom first. Their blobs are in the store already. */
  layers?: readonly AppendedLayer[] | undefined;
  /** RFC 3339 time of the new image and of the new layers. Default: the image keeps its time, the layers have none. */
  created?: string | undefined;
}

/** Options of {@link mutateImage}. */
export interface MutateOptions extends ContentOptions, PlatformOption {}

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
  const { layers = [], created } = changes;
  // As it is written: what reads as absent, such as null, stays, too.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the image was read, so these bytes are an ImageConfig
  const before = parseJson(bytes, `config ${descriptor.digest}`) as ImageConfig;
  const execution = { ...before.config, ...changedExecution(value.config, changes) };
  return buildConfig({
    ...before,
    ...(created !== undefined && { created }),
    ...(Object.keys(execution).length > 0 && { config: execution }),
    ...(layers.length > 0 && {
      rootfs: {
        ...before.rootfs,
        diff_ids: [...value.rootfs.diff_ids, ...layers.map(({ diffId }) => diffId)],
      },
      history: [...fullHistory(before.history, value.rootfs), ...layers.map(historyOf(created))],
    }),
  });
}

/** The properties that change. */
function changedExecution(before: ExecutionConfig = {}, changes: ImageChanges): ExecutionConfig {
  const { labels, env, entrypoint, cmd, user, workingDir, config } = changes;
  return {
    ...config,
    ...(labels && { Labels: changedLabels(before.Labels, labels) }),
    ...(env && { Env: changedEnv(before.Env, env) }),
    ...(entrypoint && { Entrypoint: [...entrypoint] }),
    ...(cmd && { Cmd: [...cmd] }),
    ...(user !== undefined && { User: user }),
    ...(workingDir !== undefined && { WorkingDir: workingDir }),
  };
}

/** A history has an entry for each layer, or is absent: then the layers so far get empty ones. */
function fullHistory(history: ImageConfig['history'], rootfs: ImageConfig['rootfs']): HistoryEntry[] {
  return history?.length ? history : rootfs.diff_ids.map(() => ({}));
}

const historyOf =
  (created: string | undefined) =>
  ({ createdBy }: AppendedLayer): HistoryEntry => ({ created, created_by: createdBy });

/** `Env` is a list of `KEY=value`. Docker refuses empty lines, which are left out. */
function changedEnv(before: readonly string[] = [], changes: NonNullable<ImageChanges['env']>): string[] {
  const lines = before.filter((line) => line !== '');
  const variables = new Map(lines.map((line) => [line.split('=', 1)[0], line]));
  for (const [key, text] of Object.entries(changes))
    if (text === undefined) variables.delete(key);
    else variables.set(key, `${key}=${text}`);
  return [...variables.values()];
}

function changedLabels(
  before: Readonly<Record<string, string>> = {},
  changes: NonNullable<ImageChanges['labels']>,
): Record<string, string> {
  const all = Object.entries({ ...before, ...changes });
  return Object.fromEntries(all.flatMap(([key, text]) => (text === undefined ? [] : [[key, text]])));
}

/** Docker's media types for layers do not belong into an OCI manifest. */
function inOciType(layer: Descriptor): Descriptor {
  const compression = layerCompression(layer.mediaType);
  if (compression === undefined || isNonDistributable(layer.mediaType)) return layer;
  return { ...layer, mediaType: ociLayerType(compression) };
}
