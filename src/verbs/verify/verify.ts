import type { StoredImage } from '../../content/image-index.ts';
import type { DaemonIdentity } from '../../content/endpoint.ts';
import { placeOf } from '../../content/overlay.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import type { ParsedDocument, Manifest } from '../../oci/manifest.ts';
import type { ImageContents } from '../../image/contents.ts';
import { contentsOf } from '../../image/contents.ts';
import { readReference } from '../../image/reference.ts';
import { layeredManifests } from '../../image/documents.ts';
import { layersOf } from '../../image/stated-layers.ts';
import { keepDocuments } from '../../image/keep-documents.ts';
import type { Layer } from '../../image/layer.ts';
import type { OmittedPart } from '../../image/omitted-layers.ts';
import { omittedParts } from '../../image/omitted-layers.ts';
import type { ProofThreads } from '../../image/digest-layer.ts';
import { proofThreads, prove } from '../../image/prove.ts';
import { isProven } from '../../image/proven.ts';
import type { Layout } from '../../layout/layout.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { isDocumentType } from '../../oci/media-types.ts';
import { MAX_DOCUMENT_SIZE, statedMediaType } from '../../oci/parse.ts';
import type { Platform } from '../../oci/platform.ts';
import { isUnknownPlatform } from '../../oci/platform.ts';
import { paced } from '../../progress.ts';
import { drain } from '../../stream/drain.ts';
import { readDocument } from '../../stream/document.ts';
import { pause } from '../../stream/signals.ts';
import { refusalOf } from '../../select/select.ts';
import type { Selection } from '../../select/selection.ts';
import { Checks } from './checks.ts';
import { assertDockerManifest } from './docker-manifest.ts';

/** Options of {@link verify}. */
export interface VerifyOptions extends Pick<Selection, 'policy' | 'authenticate' | 'onProgress' | 'signal'> {
  /** The layout to verify. */
  layout: Layout;
}

/** An image of a verified layout. */
export interface VerifiedImage {
  image: StoredImage;
  /** Why `policy` or `authenticate` refuses it; null if they accept it, or none is given. */
  refusal: DrayageError | null;
}

/** A reference, and the daemon that has its image. */
export interface VerifiedReference {
  /** The reference's digest. */
  digest: Digest;
  daemon: DaemonIdentity;
}

/** For a descriptor that states no platform. */
const ANY: Platform = { os: '', architecture: '' };

/** How often a layout that others change is read. */
const MAX_ROUNDS = 5;
/** How long a change of a layout takes to be complete, in ms. */
const SETTLED = 100;

/** Result of {@link verify}. */
export interface VerifyResult {
  /** Entries of index.json: images and their referrers. */
  entries: number;
  /** Blobs and documents that were read, each once. */
  blobs: number;
  /** Their stored bytes. */
  bytes: number;
  /** Omitted layers, each once, their stored bytes, and where they are, which nobody vouches for. They were not read. */
  omitted: { layers: number; bytes: number; parts: OmittedPart[] };
  /** Absent layers that may not be distributed, each once, and where they are. They were not read. */
  nonDistributable: { digest: Digest; urls: string[] }[];
  /** References to images in daemons, whose layers were not read. */
  references: VerifiedReference[];
  /** Every problem; empty if the content is intact. */
  problems: DrayageError[];
  /** All images. A refused one is no problem of the content. */
  images: VerifiedImage[];
}

/** A root with the layers that it omits. */
type OmittingRoot = Parameters<typeof omittedParts>[0][number];

/** A pass over a layout. */
interface Verification {
  /** What the layout contains. A document that many entries lead to is read once. */
  content: ContentSource;
  checks: Checks;
  /** What the roots omit. */
  omitted: OmittingRoot[];
  /** The addresses of absent non-distributable layers. */
  elsewhere: Map<Digest, string[]>;
  references: Map<Digest, DaemonIdentity>;
  /** The layers that configs name, by their blobs. */
  layers: Map<Digest, Layer[]>;
  /** Threads for the proofs; undefined on one core. */
  hashing: ProofThreads | undefined;
  options: ContentOptions;
}

/**
 * Reads everything that a layout's index.json leads to and checks it: every digest, every size, every diffID. If all of
 * that is intact, manifest.json must name the same images. Continues after a problem, to name them all. Who made an image
 * is checked for each by itself, if `policy` or `authenticate` is given. A problem counts only if the layout was not
 * changed meanwhile: otherwise it is read once more.
 * @example
 * ```ts
 * import { verify } from 'drayage';
 *
 * const { problems } = await verify({ layout });
 * for (const { code, message } of problems) console.log(code, message);
 * ```
 */
export async function verify(options: VerifyOptions): Promise<VerifyResult> {
  return paced(options, verifySettled);
}

async function verifySettled(options: VerifyOptions): Promise<VerifyResult> {
  const { layout, signal } = options;
  for (let round = 1; ; round++) {
    const before = JSON.stringify(await layout.entries());
    const result = await verifyOnce(options);
    if (result.problems.length === 0 || round === MAX_ROUNDS) return result;
    await pause(SETTLED, signal);
    if (JSON.stringify(await layout.entries()) === before) return result;
  }
}

async function verifyOnce({ layout, ...selection }: VerifyOptions): Promise<VerifyResult> {
  const content = keepDocuments(layout);
  const checks = new Checks(content, selection.onProgress);
  await using hashing = proofThreads();
  const verification: Verification = {
    content,
    checks,
    omitted: [],
    elsewhere: new Map(),
    references: new Map(),
    layers: new Map(),
    hashing,
    options: { signal: selection.signal },
  };
  const { omitted, elsewhere, references, options } = verification;
  const onDamaged = (error: DrayageError): void => void checks.problems.push(error);
  const entries = await layout.entries({ ...options, onProgress: selection.onProgress, onDamaged });
  await verifyEntries(entries, verification);
  const byContent = selection.authenticate !== undefined;
  // No progress callback: its notes say that artifacts are skipped, but verify reads them.
  const listed = await layout.images({ ...options, references: true, byContent });
  const { problems, counts } = checks;
  if (problems.length === 0) await checks.collect(async () => assertDockerManifest(layout, content, options));
  const images: VerifiedImage[] = [];
  const place = placeOf(content, layout);
  for (const image of listed) {
    images.push({ image, refusal: (await refusalOf({ place, image }, selection)) ?? null });
  }
  return {
    entries: entries.length,
    ...counts,
    omitted: sumOf(omittedParts(omitted)),
    nonDistributable: [...elsewhere].map(([digest, urls]) => ({ digest, urls })),
    references: [...references].map(([digest, daemon]) => ({ digest, daemon })),
    problems,
    images,
  };
}

function sumOf(parts: OmittedPart[]): VerifyResult['omitted'] {
  const sum = { layers: 0, bytes: 0 };
  for (const { layers, bytes } of parts) {
    sum.layers += layers;
    sum.bytes += bytes;
  }
  return { ...sum, parts };
}

/** Lists what every entry leads to, so that the totals are known, then reads it. */
async function verifyEntries(entries: readonly Descriptor[], verification: Verification): Promise<void> {
  const { content, checks, options } = verification;
  const roots: ImageContents[] = [];
  for (const entry of entries) {
    const isImage = isDocumentType(entry.mediaType);
    await checks.collect(async () =>
      isImage ? roots.push(await list(entry, verification)) : verifyOther(content, entry, options),
    );
  }
  checks.start(
    roots.filter(({ images }) => images.length > 0).length,
    roots.flatMap(({ documents, blobs }) => [...documents.map(({ descriptor }) => descriptor), ...blobs]),
  );
  for (const contents of roots) await checks.collect(async () => verifyContents(contents, verification));
}

/** What a root leads to. Its documents are read and checked. */
async function list(
  root: Descriptor,
  { content, checks, omitted, options }: Verification,
): Promise<ImageContents> {
  const { annotations } = root;
  const onDamaged = (error: DrayageError): void => void checks.problems.push(error);
  const contents = await contentsOf(content, root, { ...options, annotations, onDamaged });
  if (contents.omitted.length > 0) omitted.push({ root, annotations, omitted: contents.omitted });
  return contents;
}

async function verifyContents(contents: ImageContents, verification: Verification): Promise<void> {
  const { content, checks, elsewhere, hashing, layers, options } = verification;
  const root = contents.root.descriptor;
  const read = async (blob: Descriptor): Promise<void> => drain(await checks.source.open(blob, options));
  for (const child of contents.absent) {
    // An attestation may be absent; an image that an index lists must be present.
    if (!isUnknownPlatform(child.platform ?? ANY)) await checks.once(child, () => read(child));
  }
  for (const manifest of layeredManifests(contents.documents)) {
    const { config } = manifest.value;
    if (await checks.once(config, () => read(config)))
      await checks.once(manifest.descriptor, () => learnLayers(manifest, verification));
  }
  const reference = contents.images.length > 0 ? undefined : await readReference(content, root, options);
  if (reference !== undefined) verification.references.set(root.digest, reference.daemon);
  // The other documents were checked when they were read.
  for (const { descriptor } of contents.documents) await checks.once(descriptor, async () => {});
  for (const { digest, urls = [] } of contents.nonDistributable) elsewhere.set(digest, urls);
  for (const blob of contents.blobs) {
    for (const layer of layers.get(blob.digest) ?? [undefined]) {
      const isRead = layer === undefined || isProven(layer);
      await checks.once(
        blob,
        () => (isRead ? read(blob) : prove(checks.source, layer, { ...options, hashing })),
        layer?.diffId,
      );
    }
  }
}

/** Reads from an image's config which layers its blobs contain. */
async function learnLayers(
  manifest: ParsedDocument<Manifest>,
  { content, layers, options }: Verification,
): Promise<void> {
  for (const layer of await layersOf(content, manifest, options)) {
    const known = layers.get(layer.blob.digest) ?? [];
    if (!known.some(({ diffId }) => diffId === layer.diffId))
      layers.set(layer.blob.digest, [...known, layer]);
  }
}

/** An entry that claims to be neither manifest nor index must not be one. */
async function verifyOther(
  content: ContentSource,
  entry: Descriptor,
  options: ContentOptions,
): Promise<void> {
  const bytes = await content.open(entry, options);
  if (entry.size > MAX_DOCUMENT_SIZE) return drain(bytes);
  const stated = statedMediaType(await readDocument(bytes, entry));
  if (stated === undefined || stated === entry.mediaType || entry.mediaType === '') return;
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
