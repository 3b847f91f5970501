import type { StoreTransaction } from '../content/store.ts';
import { writeBlob } from '../content/sink.ts';
import type { ContentOptions } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { buildArtifact, EMPTY_CONFIG } from '../oci/manifest.ts';
import { once } from '../stream/tap.ts';

/** A blob of an artifact. */
export interface AttachedBlob {
  bytes: Uint8Array | AsyncIterable<Uint8Array>;
  /** Default `application/octet-stream`. */
  mediaType?: string | undefined;
  /** Annotations of the blob's descriptor, such as `org.opencontainers.image.title`, its file name. */
  annotations?: Readonly<Record<string, string>> | undefined;
}

/** Options of {@link attach}. */
export interface AttachOptions extends ContentOptions {
  /** Annotations of the artifact. Default: none. */
  annotations?: Readonly<Record<string, string>> | undefined;
}

/**
 * Adds an artifact that refers to an image: an SBOM, a test report. `referrers` of the store finds it; fetch, merge and
 * promote copy it with the image.
 * @param subject the root of the image
 * @param artifactType such as `application/spdx+json`
 * @returns the root of the artifact
 * @throws {@link DrayageError} errors of the transaction
 * @example
 * ```ts
 * import { attach } from 'drayage/image';
 *
 * const [{ root }] = await layout.resolve('app:1');
 * const sbom = { bytes: Buffer.from('{}'), mediaType: 'application/spdx+json' };
 * await layout.update((transaction) => attach(transaction, root, 'application/spdx+json', [sbom]));
 * ```
 */
export async function attach(
  transaction: StoreTransaction,
  subject: Descriptor,
  artifactType: string,
  blobs: readonly AttachedBlob[],
  { annotations, signal }: AttachOptions = {},
): Promise<Descriptor> {
  const layers: Descriptor[] = [];
  for (const { bytes, mediaType, annotations: own } of blobs) {
    const chunks = ArrayBuffer.isView(bytes) ? once(bytes) : bytes;
    const blob = await writeBlob(
      await transaction.begin({ signal }),
      chunks,
      mediaType === undefined ? {} : { mediaType },
    );
    layers.push({ ...blob, ...(own && { annotations: { ...own } }) });
  }
  const stated = annotations && { annotations: { ...annotations } };
  const manifest = buildArtifact({ artifactType, layers, subject, ...stated });
  for (const { descriptor, bytes } of [EMPTY_CONFIG, manifest])
    await transaction.put(descriptor, once(bytes), { signal });
  const root = { ...manifest.descriptor, artifactType, ...stated };
  transaction.add(root, [], {});
  return root;
}
