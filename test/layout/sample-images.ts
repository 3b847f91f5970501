import type { Descriptor } from '../../src/oci/descriptor.ts';
import { toDocument } from '../../src/oci/manifest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { sampleImage, sampleReferrer } from '../../src/testing/sample-images.ts';
import { MemoryContent } from '../support/memory-content.ts';

/** An image of one layer that is not to be distributed. */
export function withForeignLayer(urls?: string[]): SampleImage {
  const { config, blobs, layers, ...image } = sampleImage(['foreign']);
  const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
  const foreign = layers.map((layer) => ({ ...layer, mediaType, urls }));
  const { descriptor: root, bytes } = toDocument(
    OCI_MANIFEST,
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: foreign }),
  );
  return { ...image, root, config, layers: foreign, blobs: [...blobs.slice(0, -1), [root, bytes]] };
}

/** An attestation as buildx makes it: an artifact for unknown/unknown. */
export function sampleAttestation(of: SampleImage): SampleImage {
  const made = sampleReferrer(of.root, 'attestation');
  return { ...made, root: { ...made.root, platform: { os: 'unknown', architecture: 'unknown' } } };
}

/** The content of these, without some of it. */
export function contentOf(
  samples: readonly SampleImage[],
  without: readonly Descriptor[] = [],
): MemoryContent {
  const absent = new Set(without.map(({ digest }) => digest));
  const blobs = samples.flatMap((sample) => sample.blobs).filter(([{ digest }]) => !absent.has(digest));
  return new MemoryContent(blobs.map(([, bytes]) => bytes));
}
