import type { ContentSink } from '../content/sink.ts';
import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { Layer } from '../image/layer.ts';
import type { Image } from '../image/image.ts';
import { readImage } from '../image/image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { parseJson } from '../oci/json.ts';
import type { Document } from '../oci/manifest.ts';
import { buildManifest, toDocument } from '../oci/manifest.ts';
import { isNonDistributable, layerCompression, OCI_CONFIG, ociLayerType } from '../oci/media-types.ts';
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
  /** Layers on top, bottom first. Their blobs are in the store already. */
  layers?: readonly AppendedLayer[] | undefined;
  /** RFC 3339 time of the new image and of the new layers. Default: the image keeps its time, the layers have none. */
  created?: string | undefined;
}

/** Options of {@link mutateImage}. */
export interface MutateOptions extends ContentOptions, PlatformOption {}

type JsonObject = Record<string, unknown>;

/**
 * Writes a variant of an image: a config and a manifest; the layers are shared. Keys of the config that are unknown here
 * stay; annotations of the manifest do not. If layers of the image are omitted, add the variant with the annotation of the
 * image that says so. The same image and the same changes give the same bytes.
 * @param store holds the image's documents, and gets the new ones
 * @param root a manifest, or an index that contains the image for `platform`
 * @returns the new image, whose root a transaction can add
 * @throws {@link DrayageError} `NOT_FOUND`, `UNSUPPORTED`, `MALFORMED`; errors of `store`
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

function changedConfig({ config: { bytes, descriptor } }: Image, changes: ImageChanges): Document {
  const { labels, env, entrypoint, cmd, user, workingDir, layers = [], created } = changes;
  const before = asObject(parseJson(bytes, `config ${descriptor.digest}`));
  const run = asObject(before['config']);
  const rootfs = asObject(before['rootfs']);
  const after = {
    ...before,
    ...(created !== undefined && { created }),
    config: {
      ...run,
      ...(labels && { Labels: merged(asObject(run['Labels']), labels) }),
      ...(env && { Env: changedEnv(run['Env'], env) }),
      ...(entrypoint && { Entrypoint: entrypoint }),
      ...(cmd && { Cmd: cmd }),
      ...(user !== undefined && { User: user }),
      ...(workingDir !== undefined && { WorkingDir: workingDir }),
    },
    rootfs: { ...rootfs, diff_ids: [...asList(rootfs['diff_ids']), ...layers.map(({ diffId }) => diffId)] },
    ...(layers.length > 0 && { history: [...fullHistory(before), ...layers.map(historyOf(created))] }),
  };
  return toDocument(OCI_CONFIG, JSON.stringify(after));
}

/** A history has an entry for each layer, or is absent: then the layers so far get empty ones. */
function fullHistory({ history, rootfs }: JsonObject): unknown[] {
  if (Array.isArray(history) && history.length > 0) return history;
  return asList(asObject(rootfs)['diff_ids']).map(() => ({}));
}

const historyOf =
  (created: string | undefined) =>
  ({ createdBy }: AppendedLayer): JsonObject => ({
    ...(created !== undefined && { created }),
    ...(createdBy !== undefined && { created_by: createdBy }),
  });

/** `Env` is a list of `KEY=value`. */
function changedEnv(before: unknown, changes: Readonly<Record<string, string | undefined>>): string[] {
  const variables = asList(before).flatMap((line): [string, string][] => {
    const text = String(line);
    const at = text.indexOf('=');
    return at < 0 ? [[text, '']] : [[text.slice(0, at), text.slice(at + 1)]];
  });
  return Object.entries(merged(Object.fromEntries(variables), changes)).map(
    ([key, value]) => `${key}=${String(value)}`,
  );
}

function merged(before: JsonObject, changes: Readonly<Record<string, string | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries({ ...before, ...changes }).filter(([, value]) => value !== undefined),
  );
}

/** Docker's media types for layers do not belong into an OCI manifest. */
function inOciType(layer: Descriptor): Descriptor {
  const compression = layerCompression(layer.mediaType);
  if (compression === undefined || isNonDistributable(layer.mediaType)) return layer;
  return { ...layer, mediaType: ociLayerType(compression) };
}

function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
