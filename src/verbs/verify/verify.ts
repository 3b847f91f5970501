import type { ContentOptions } from '../../content/source.ts';
import { isAbsent } from '../../content/source.ts';
import { DrayageError, isDrayageError } from '../../errors.ts';
import type { ParsedDocument, Manifest } from '../../oci/manifest.ts';
import { walk } from '../../image/contents.ts';
import { isImageManifest } from '../../image/documents.ts';
import { readConfig } from '../../image/image.ts';
import type { Layer } from '../../image/layer.ts';
import { isProven, prove } from '../../image/prove.ts';
import type { Layout } from '../../layout/layout.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { isIndexType, isManifestType, isNonDistributable } from '../../oci/media-types.ts';
import { omittedBlobs, omittedLayers } from '../../image/omitted-layers.ts';
import { MAX_DOCUMENT_SIZE, statedMediaType } from '../../oci/parse.ts';
import type { Platform } from '../../oci/platform.ts';
import { isUnknownPlatform } from '../../oci/platform.ts';
import type { OnProgress } from '../../progress.ts';
import { drain } from '../../stream/drain.ts';
import { readDocument } from '../../stream/document.ts';
import { assertDockerManifest } from './docker-manifest.ts';

/** Options of {@link verify}. */
export interface VerifyOptions extends ContentOptions {
  /** The layout to verify. */
  layout: Layout;
  onProgress?: OnProgress | undefined;
}

/** Of a descriptor that does not say what it is for. */
const ANY: Platform = { os: '', architecture: '' };

/** What came of {@link verify}. */
export interface VerifyResult {
  /** Entries of index.json: images, and what refers to them. */
  entries: number;
  /** Blobs and documents that were read, each once. */
  blobs: number;
  /** Their stored bytes. */
  bytes: number;
  /** Layers that are left out on purpose and absent, each once, and their stored bytes: no damage. */
  omitted: { layers: number; bytes: number };
  /** Everything that is wrong; none where the content is intact. */
  problems: DrayageError[];
}

/** What is verified, and how it is noted. */
interface Verification {
  layout: Layout;
  check: Check;
  /** Notes a layer that is left out on purpose. */
  onOmitted: (descriptor: Descriptor) => void;
  options: ContentOptions;
}

/** Reads content once, as a layer once for each diffID, and notes what is wrong with it instead of throwing. */
type Check = (descriptor: Descriptor, read: () => Promise<unknown>, diffId?: Digest) => Promise<void>;

/**
 * Reads everything that a layout's index.json leads to and checks it: every digest, every size, every diffID. Where all of that
 * is intact, manifest.json has to name the same images. Goes on after a problem, to name them all. Says nothing about who made
 * the images.
 */
export async function verify({ layout, signal, onProgress }: VerifyOptions): Promise<VerifyResult> {
  const checked = new Set<string>();
  const omitted = new Map<Digest, number>();
  const result: VerifyResult = {
    entries: 0,
    blobs: 0,
    bytes: 0,
    omitted: { layers: 0, bytes: 0 },
    problems: [],
  };
  const check: Check = async (descriptor, read, diffId) => {
    const key = `${descriptor.digest} ${diffId ?? ''}`;
    if (checked.has(key)) return;
    checked.add(key);
    await collect(result.problems, read);
    result.blobs += 1;
    result.bytes += descriptor.size;
    onProgress?.({ kind: 'bytes', direction: 'read', bytes: descriptor.size });
  };
  const onOmitted = ({ digest, size }: Descriptor): void => void omitted.set(digest, size);
  for (const entry of await layout.entries()) {
    result.entries += 1;
    const isImage = isManifestType(entry.mediaType) || isIndexType(entry.mediaType);
    const work = isImage
      ? verifyRoot(entry, { layout, check, onOmitted, options: { signal } })
      : verifyOther(layout, entry, { signal });
    await collect(result.problems, () => work);
  }
  if (result.problems.length === 0)
    await collect(result.problems, () => assertDockerManifest(layout, { signal }));
  const bytes = [...omitted.values()].reduce((sum, size) => sum + size, 0);
  return { ...result, omitted: { layers: omitted.size, bytes } };
}

async function verifyRoot(root: Descriptor, verification: Verification): Promise<void> {
  const { layout, check, options } = verification;
  const omitted = omittedLayers(root.annotations, root.digest);
  for await (const node of walk(layout, root, options)) {
    if (node.kind === 'absent' && !isUnknownPlatform(node.descriptor.platform ?? ANY)) {
      // An attestation may have stayed behind; an image that an index lists has to be there.
      await check(node.descriptor, async () => drain(await layout.open(node.descriptor, options)));
    }
    // Documents are checked by the walk itself; what a manifest names is read with the manifest.
    if (node.kind === 'index' || node.kind === 'manifest')
      await check(node.document.descriptor, async () => {});
    if (node.kind === 'manifest') await verifyManifest(node.document, omitted, verification);
  }
}

/** An entry that claims to be neither manifest nor index must not be one. */
async function verifyOther(layout: Layout, entry: Descriptor, options: ContentOptions): Promise<void> {
  const bytes = await layout.open(entry, options);
  if (entry.size > MAX_DOCUMENT_SIZE) return drain(bytes);
  const stated = statedMediaType(await readDocument(bytes, entry));
  if (stated === undefined || stated === entry.mediaType) return;
  throw new DrayageError(
    'MALFORMED',
    `index.json calls ${entry.digest} ${entry.mediaType}, but it is ${stated}`,
    {
      digest: entry.digest,
      expected: stated,
      actual: entry.mediaType,
    },
  );
}

async function verifyManifest(
  manifest: ParsedDocument<Manifest>,
  omitted: number,
  { layout, check, onOmitted, options }: Verification,
): Promise<void> {
  const { config, layers } = manifest.value;
  const leftOut = omittedBlobs(layers, isImageManifest(manifest) ? omitted : 0);
  const diffIds = new Map<Digest, Layer>();
  if (isImageManifest(manifest)) {
    await check(config, async () => {
      const image = await readConfig(layout, manifest, options);
      for (const layer of image.layers) diffIds.set(layer.blob.digest, layer);
    });
  }
  for (const blob of [config, ...layers]) {
    if (leftOut.has(blob.digest) && (await isAbsent(layout, blob, options))) {
      onOmitted(blob);
      continue;
    }
    if (isNonDistributable(blob.mediaType) && !(await layout.has(blob, options))) continue;
    const layer = diffIds.get(blob.digest);
    if (layer === undefined || isProven(layer))
      await check(blob, async () => drain(await layout.open(blob, options)), layer?.diffId);
    else await check(blob, () => prove(layout, layer, options), layer.diffId);
  }
}

async function collect(problems: DrayageError[], work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isDrayageError(error)) throw error;
    problems.push(error);
  }
}
