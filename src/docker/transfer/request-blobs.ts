import { randomUUID } from 'node:crypto';
import type { TarEntry } from '../../archive/tar/read.ts';
import { readTar } from '../../archive/tar/read.ts';
import { DrayageError } from '../../errors.ts';
import { buildConfig, buildManifest } from '../../oci/manifest.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Document } from '../../oci/manifest.ts';
import { OCI_LAYER } from '../../oci/media-types.ts';
import { readDocument } from '../../stream/document.ts';
import type { SaveTarget } from './request-archive.ts';
import { requestArchive } from './request-archive.ts';
import { sendArchive } from './send.ts';
import { blobName } from '../../oci/layout.ts';
import { writeDocuments } from '../../archive/write/layout-entries.ts';

/** How long to wait until an image of a few hundred bytes is loaded, or removed, in ms. */
const TIMEOUT = 5_000;

/**
 * Asks a containerd store for certain blobs that it has. It loads an unnamed image that lists them as its layers, but
 * without the layers, saves it, and removes it, also after a failure. The image is for no platform, so nothing is
 * unpacked.
 * @returns the blobs in any order; the caller checks that all arrive and are correct
 * @throws {@link DrayageError} `DAEMON`, `NOT_FOUND`, `UNREACHABLE`, and those of {@link readTar}
 */
export async function* requestBlobs(
  target: SaveTarget,
  blobs: readonly Descriptor[],
  signal: AbortSignal | undefined,
): AsyncGenerator<TarEntry, void, undefined> {
  signal?.throwIfAborted();
  const { config, manifest } = listing(blobs);
  const { digest } = manifest.descriptor;
  const planted = plant(target, config, manifest);
  let removal: Promise<void> | undefined;
  const remove = (): void => {
    removal ??= removeAfter(planted, target, digest);
    target.cleanups.add(removal);
  };
  // After an abort, nobody reads the rest of this generator.
  signal?.addEventListener('abort', remove, { once: true });
  try {
    await planted;
    const names = new Set(blobs.map((blob) => blobName(blob.digest)));
    const archive = await requestArchive(target, [digest], undefined, { signal });
    for await (const entry of readTar(archive)) if (names.has(entry.name)) yield entry;
  } finally {
    signal?.removeEventListener('abort', remove);
    remove();
    await removal;
  }
}

/**
 * Asks a containerd store for documents, as {@link requestBlobs}, and reads and checks each.
 * @returns those that arrived
 */
export async function requestDocuments(
  target: SaveTarget,
  wanted: readonly Descriptor[],
  signal: AbortSignal | undefined,
): Promise<Map<Digest, Document>> {
  const byName = new Map(wanted.map((descriptor) => [blobName(descriptor.digest), descriptor]));
  const found = new Map<Digest, Document>();
  for await (const { name, bytes } of requestBlobs(target, wanted, signal)) {
    const descriptor = byName.get(name);
    if (descriptor === undefined) continue;
    const document = { descriptor: bareDescriptor(descriptor), bytes: await readDocument(bytes, descriptor) };
    found.set(descriptor.digest, document);
  }
  return found;
}

/** A different image each time, so that nobody else removes it. */
function listing(blobs: readonly Descriptor[]): { config: Document; manifest: Document } {
  const config = buildConfig({
    architecture: 'unknown',
    os: 'unknown',
    author: `drayage ${randomUUID()}`,
    rootfs: { type: 'layers', diff_ids: blobs.map(({ digest }) => digest) },
  });
  // With their real media types, everything that manifests and indexes lead to would be sent, too.
  const layers = blobs.map(({ digest, size }) => ({ mediaType: OCI_LAYER, digest, size }));
  return { config, manifest: buildManifest(config.descriptor, layers) };
}

/** Ignores aborts: it must be known whether the image is there, to remove it. */
async function plant(target: SaveTarget, config: Document, manifest: Document): Promise<void> {
  const archive = writeDocuments(manifest.descriptor, [config, manifest], {});
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(lateError(target)), TIMEOUT);
  try {
    await sendArchive(target, archive, { signal: late.signal });
  } finally {
    clearTimeout(timer);
  }
}

function lateError({ transport: { host } }: SaveTarget): DrayageError {
  const message = `docker at ${host.name} takes over ${TIMEOUT / 1000} s to load an image of a few hundred bytes`;
  return new DrayageError('TIMEOUT', message, { url: host.name, hint: 'try again' });
}

async function removeAfter(planted: Promise<void>, { images }: SaveTarget, id: Digest): Promise<void> {
  await planted.catch(() => undefined);
  // If it never existed, or the daemon is gone, nothing is left to do.
  await images.remove(id, { force: true, signal: AbortSignal.timeout(TIMEOUT) }).catch(() => undefined);
}
