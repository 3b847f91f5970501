import { withDocuments } from '../../content/overlay.ts';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { isRemote } from '../../content/source.ts';
import type { Image } from '../../image/image.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { createDigester, digestAlgorithm, digestOf } from '../../oci/digest.ts';
import { buildManifest } from '../../oci/manifest.ts';
import { verified } from '../../stream/verified.ts';
import type { ImageToLoad } from './store.ts';

/** An image whose config has its sha256, by which docker and podman identify an image, whatever its manifest says. */
export async function withSha256Config(toLoad: ImageToLoad): Promise<ImageToLoad> {
  const { config } = toLoad.image;
  if (isSha256(config.descriptor)) return toLoad;
  const descriptor = { ...config.descriptor, digest: digestOf(config.bytes) };
  return { ...toLoad, image: { ...toLoad.image, config: { ...config, descriptor } } };
}

/**
 * An image whose documents name everything by its sha256, since a containerd store keeps no other content. If it names
 * anything by sha512, its blobs are read and hashed, and a manifest is written over them: the image for the daemon's
 * platform, without the others of its index. Its config stays as it is.
 */
export async function withSha256Blobs(toLoad: ImageToLoad, options: ContentOptions): Promise<ImageToLoad> {
  const { root, image, source } = toLoad;
  const named = [
    root,
    image.manifest.descriptor,
    image.config.descriptor,
    ...image.layers.map(({ blob }) => blob),
  ];
  if (named.every(isSha256)) return toLoad;
  const { image: known } = await withSha256Config(toLoad);
  const originals = new Map<Digest, Descriptor>();
  const layers: Image['layers'] = [];
  for (const { diffId, blob } of image.layers) {
    const own = { ...blob, digest: isSha256(blob) ? blob.digest : await hash(source, blob, options) };
    originals.set(own.digest, blob);
    layers.push({ diffId, blob: own });
  }
  const manifest = buildManifest(
    known.config.descriptor,
    layers.map(({ blob }) => blob),
  );
  const content = withDocuments(renamed(source, originals), [manifest, known.config]);
  const parsed = { ...manifest, value: { ...image.manifest.value, ...named256(known, layers) } };
  return { root: manifest.descriptor, image: { ...known, manifest: parsed, layers }, source: content };
}

function named256(
  { config }: Image,
  layers: Image['layers'],
): Pick<Image['manifest']['value'], 'config' | 'layers'> {
  return { config: config.descriptor, layers: layers.map(({ blob }) => blob) };
}

/** Content under other digests. */
function renamed(source: ContentSource, originals: ReadonlyMap<Digest, Descriptor>): ContentSource {
  const original = (wanted: Descriptor): Descriptor => originals.get(wanted.digest) ?? wanted;
  return {
    has: async (wanted, options) => source.has(original(wanted), options),
    open: async (wanted, options) => source.open(original(wanted), options),
    isRemote: async (wanted, options) => isRemote(source, original(wanted), options),
    position: (wanted) => source.position?.(original(wanted)),
  };
}

/** The sha256 of a blob, which is checked while it is read. */
async function hash(source: ContentSource, blob: Descriptor, options: ContentOptions): Promise<Digest> {
  const digester = createDigester();
  for await (const chunk of verified(await source.open(blob, options), blob)) digester.update(chunk);
  return digester.digest();
}

function isSha256({ digest }: Descriptor): boolean {
  return digestAlgorithm(digest) === 'sha256';
}
