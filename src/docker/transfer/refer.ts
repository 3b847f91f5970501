import type { ReferOptions, ReferredImage } from '../../content/endpoint.ts';
import { DrayageError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Document } from '../../oci/manifest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import type { Platform } from '../../oci/platform.ts';
import { matchesPlatform } from '../../oci/platform.ts';
import type { DaemonImage } from '../images/description.ts';
import type { Store } from '../kinds/store.ts';
import { fetchDocuments } from './delta-save.ts';
import type { SaveTarget } from './request-archive.ts';

/** A daemon whose images are described. */
export interface ReferTarget extends SaveTarget {
  store: Store;
  platform: Platform;
}

/**
 * Describes an image by everything that identifies it. Of a multi-platform image in a containerd store, the config is
 * that of the image for the daemon's platform, or of the only one.
 * @throws {@link DrayageError} `NOT_FOUND`; `INCOMPLETE` if content of it is missing; `UNSAFE` if the daemon does not say which
 * config the image has
 */
export async function referImage(
  target: ReferTarget,
  text: string,
  { signal, known = [] }: ReferOptions,
): Promise<ReferredImage> {
  const { images, store, canChoose } = target;
  const found = await images.inspect(text, { signal, manifests: canChoose && !store.namesByConfig });
  const { id: image, names, diffIds, created, labels, os, architecture, variant } = found;
  const platform = { os, architecture, ...(variant !== undefined && { variant }) };
  const described = { image, names, diffIds, platform, created, labels };
  if (store.namesByConfig) return { ...described, id: image, documents: [] };
  const wanted = partsOf(found, target.platform);
  if (wanted === undefined) throw unknownConfig(target, image);
  const documents = await completed(target, wanted, known, { signal });
  return { ...described, id: configDigestIn(documents), documents };
}

/** The root, and the manifest below it that the daemon runs; undefined if the daemon does not say. */
function partsOf(
  { root, manifests = [] }: DaemonImage,
  own: Platform,
): [Descriptor, ...Descriptor[]] | undefined {
  if (root === undefined) return undefined;
  if (isManifestType(root.mediaType)) {
    const isWhole = manifests.every(({ digest, available }) => available || digest !== root.digest);
    if (isWhole) return [root];
    throw incomplete(root);
  }
  const runnable = manifests.flatMap(({ available, descriptor, platform }) =>
    available && descriptor !== undefined && platform !== undefined ? [{ descriptor, platform }] : [],
  );
  const [only, ...others] = runnable;
  const chosen = runnable.find(({ platform }) => matchesPlatform(own, platform));
  const part = chosen ?? (others.length === 0 ? only : undefined);
  if (part === undefined && manifests.some(({ available }) => !available)) throw incomplete(root);
  return part && [root, part.descriptor];
}

function incomplete({ digest }: Descriptor): DrayageError {
  return new DrayageError('INCOMPLETE', `the daemon lacks content of ${digest}`, {
    digest,
    hint: 'pull or build the image again',
  });
}

/** Fetches what is not known. */
async function completed(
  target: SaveTarget,
  wanted: readonly Descriptor[],
  known: readonly Document[],
  options: ReferOptions,
): Promise<Document[]> {
  const byDigest = new Map<Digest, Document>(known.map((document) => [document.descriptor.digest, document]));
  const lacking = wanted.filter(({ digest }) => !byDigest.has(digest));
  const fetched = lacking.length === 0 ? [] : await fetchDocuments(target, lacking, options);
  for (const document of fetched) byDigest.set(document.descriptor.digest, document);
  return wanted.flatMap(({ digest }) => byDigest.get(digest) ?? []);
}

/** The config that the last document names. */
function configDigestIn(documents: readonly Document[]): Digest {
  const manifest = documents.at(-1);
  if (manifest === undefined) throw new DrayageError('DAEMON', 'the daemon has sent no manifest');
  return parseManifest(manifest.bytes, `manifest ${manifest.descriptor.digest}`).config.digest;
}

function unknownConfig({ transport, store }: ReferTarget, text: string): DrayageError {
  const message = `${store.title} at ${transport.host.name} does not say which config ${text} has`;
  return new DrayageError('UNSAFE', message, {
    reason: 'UNKNOWN_CONFIG',
    hint: 'use docker 28 or later, or save the layers, too',
  });
}
