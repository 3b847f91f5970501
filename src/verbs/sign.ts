import { nameOf, referenceTo } from '../content/image-index.ts';
import type { ContentOptions } from '../content/source.ts';
import type { AttestedImage } from '../attest/statement.ts';
import type { MakeStatement } from '../attest/statement.ts';
import { bundleReferrer, COSIGN_IMAGE } from '../attest/referrer.ts';
import type { SignStatement } from '../attest/signer.ts';
import { wallClock } from '../clock.ts';
import { DrayageError } from '../errors.ts';
import { contentsOf } from '../image/contents.ts';
import { absentContent } from '../image/present-part.ts';
import type { ProveContentsOptions } from '../image/prove-contents.ts';
import { proveContents } from '../image/prove-contents.ts';
import type { ImageStore, StoreTransaction } from '../content/store.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isIndexType } from '../oci/media-types.ts';
import { startLayers } from '../progress.ts';
import { selectEachAny } from '../select/select.ts';
import type { Selected, SelectedImage, Selection } from '../select/selection.ts';
import { blobsOfLayers, isReferred } from '../select/selection.ts';
import { once } from '../stream/tap.ts';

/** Options of {@link sign}. */
export interface SignOptions extends Selection, Omit<ProveContentsOptions, 'onProgress'> {
  /** The layout, or another store, with the images. It gets their signatures. */
  layout: ImageStore;
  /** Makes what is signed of each image, such as `gitlabStatement(process.env)`. */
  statement: MakeStatement;
  /** Makes a bundle of a statement, with a key or keyless. */
  sign: SignStatement;
  /** The time for statement and referrer. Default: the wall clock's. */
  now?: Date | undefined;
}

/** A signed image. */
export interface SignedImage {
  /** The first of its names; null if it has none. */
  name: string | null;
  /** The signed digest: the manifest's, or the index's. */
  digest: Digest;
  /** The referrer that contains the signature. */
  referrer: Digest;
}

/** Result of {@link sign}. */
export interface SignResult {
  /** The layout's folder. */
  layout: string;
  images: SignedImage[];
}

/**
 * Signs images with the job's provenance, as a referrer beside each. All of them, or, after any failure, none. Every
 * layer is proven first, as `proveContents` does; the statement lists those that were not read. Of a reference, its config
 * digest is signed, and the statement says that no layer was read.
 * @throws {@link DrayageError} `NOT_FOUND`, `AMBIGUOUS`, `POLICY`, `IO`; `DIGEST_MISMATCH` if a blob is not the layer
 * that it stands for; `INCOMPLETE` if an index lists what is absent; errors of `sign`
 * @example
 * ```ts
 * import { gitlabStatement, keySigner, loadPrivateKey, sign } from 'drayage';
 *
 * const signer = keySigner({ privateKey: await loadPrivateKey(pem) });
 * const { images } = await sign({ layout, statement: gitlabStatement(env), sign: signer });
 * console.log(images.map(({ referrer }) => referrer));
 * ```
 */
export async function sign(options: SignOptions): Promise<SignResult> {
  const { layout: to, signal, onProgress } = options;
  const chosen = await selectEachAny([to], options);
  const unread = new Map<Selected, readonly Digest[]>();
  const tell = startLayers(onProgress, chosen.length, chosen.map(layersOf));
  onProgress?.({ kind: 'phase', phase: 'verifying' });
  for (const placed of chosen) {
    const left = await unreadLayers(placed, options);
    unread.set(placed, left);
    const omitted = new Set(left);
    for (const blob of layersOf(placed)) tell(blob, omitted.has(blob.digest) ? 'omitted' : 'reused');
  }
  const signed = await to.update(
    async (content) => {
      const images: SignedImage[] = [];
      for (const one of chosen) {
        onProgress?.({ kind: 'image', name: referenceTo(one.image) });
        images.push(await signOne(one, unread.get(one) ?? [], content, options));
      }
      return images;
    },
    { signal },
  );
  return { layout: to.location, images: signed };
}

/** The blobs of an image's layers. A reference has none here. */
function layersOf(placed: Selected): Descriptor[] {
  return isReferred(placed) ? [] : blobsOfLayers(placed);
}

/** Proves an image's layers. @returns those that were not read: blobs; of a reference all, as diffIDs */
async function unreadLayers(placed: Selected, options: ProveContentsOptions): Promise<readonly Digest[]> {
  if (isReferred(placed)) return placed.reference.diffIds;
  await assertWhole(placed, options);
  return (await proveContents(placed, options)).map(({ blob }) => blob.digest);
}

/** A signature of an index vouches for all that it lists, also for what comes later. */
async function assertWhole(
  { image, content, root }: SelectedImage,
  { signal }: ContentOptions,
): Promise<void> {
  if (!isIndexType(root.mediaType)) return;
  const contents = await contentsOf(content, root, { annotations: image.annotations, signal });
  const absent = await absentContent(content, contents, { signal });
  if (absent === undefined) return;
  throw new DrayageError(
    'INCOMPLETE',
    `${nameOf(image)}: its index ${root.digest} lists ${absent.digest}, which is absent`,
    {
      digest: absent.digest,
      hint: 'save it again: the new index lists only what is present',
    },
  );
}

async function signOne(
  placed: Selected,
  unread: readonly Digest[],
  content: StoreTransaction,
  { statement: makeStatement, now = wallClock(), signal, sign: signStatement }: SignOptions,
): Promise<SignedImage> {
  const { image: stored, root } = placed;
  const { names, annotations } = stored;
  const image: AttestedImage = {
    digest: root.digest,
    ids: isReferred(placed)
      ? [placed.reference.id]
      : placed.read.map(({ config }) => config.descriptor.digest),
    names,
    unreadLayers: [...new Set(unread)],
    isReference: isReferred(placed),
  };
  const statement = makeStatement(image, { finishedAt: now });
  const bundle = await signStatement(statement, { signal });
  const referrer = bundleReferrer(root, bundle, now);
  for (const { descriptor, bytes } of referrer.documents)
    await content.put(descriptor, once(bytes), { signal });
  content.add(root, names, { ...annotations, ...COSIGN_IMAGE });
  content.add(referrer.root, [], {});
  return { name: names[0] ?? null, digest: root.digest, referrer: referrer.root.digest };
}
