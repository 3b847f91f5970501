import type { Readable } from 'node:stream';
import { PassThrough } from 'node:stream';
import type { ContentSource, OpenOptions } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest, DigestAlgorithm, Digester } from '../oci/digest.ts';
import { createDigester, digestAlgorithm } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import { derived } from '../stream/derived.ts';
import { decompressDetected } from '../stream/sniffed.ts';
import { digestMismatch } from '../stream/verified.ts';
import { assertReadable } from './layer-type.ts';
import { digestContent } from './digest-layer.ts';
import { noteProven } from './proven.ts';

/** How many bytes of the blob the decoder may be behind. */
const BEHIND = 1024 * 1024;

/**
 * Opens a blob that is read once, and proven meanwhile, as {@link provenPassing} does.
 * @param diffIds the layers that it stands for; none for a blob that is not a layer
 */
export async function openProving(
  source: ContentSource,
  blob: Descriptor,
  diffIds: readonly Digest[],
  options: OpenOptions,
): Promise<Readable> {
  if (diffIds.length > 0) assertReadable(blob);
  const bytes = await source.open(blob, { ...options, once: true, diffIdChecked: true });
  return diffIds.length === 0 ? bytes : derived(bytes, provenPassing(bytes, blob, diffIds));
}

/**
 * Passes a layer's blob through, and proves meanwhile that it contains the layer: it is decompressed and hashed beside,
 * once for all of its diffIDs. The last chunk is passed on when that is proven, so that a reader never gets all of another
 * layer.
 * @param bytes the blob, verified by its source
 * @throws {@link DrayageError} `DIGEST_MISMATCH` for another layer; `MALFORMED`, `TRUNCATED`, `UNSUPPORTED`; errors of
 * the source as they are
 */
export async function* provenPassing(
  bytes: AsyncIterable<Uint8Array>,
  blob: Descriptor,
  diffIds: readonly Digest[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const proof = new Proof(blob, diffIds);
  try {
    let last: Uint8Array | undefined;
    for await (const chunk of bytes) {
      // After a failure the source is read to its end all the same: it may report that the blob itself is damaged.
      if (last !== undefined && !proof.hasFailed) yield last;
      await proof.take(chunk);
      last = chunk;
    }
    await proof.end();
    if (last !== undefined) yield last;
  } finally {
    proof.drop();
  }
}

/** Decompresses and hashes what it is given. */
class Proof {
  hasFailed = false;
  readonly #blob: Descriptor;
  readonly #diffIds: readonly Digest[];
  /** One for each algorithm of the diffIDs. */
  readonly #digesters = new Map<DigestAlgorithm, Digester>();
  readonly #input = new PassThrough({ highWaterMark: BEHIND });
  readonly #size: Promise<number>;
  #compression: Compression = 'none';

  constructor(blob: Descriptor, diffIds: readonly Digest[]) {
    this.#blob = blob;
    this.#diffIds = diffIds;
    for (const algorithm of new Set(diffIds.map(digestAlgorithm)))
      this.#digesters.set(algorithm, createDigester(algorithm));
    // What matters of its errors, the size reports.
    this.#input.on('error', () => undefined);
    const content = decompressDetected(
      this.#input,
      `layer ${blob.digest}`,
      (compression) => (this.#compression = compression),
      { freesChunks: true },
    );
    this.#size = digestContent(content, [...this.#digesters.values()]);
    this.#size.catch(() => (this.hasFailed = true));
  }

  /** Waits while the decoder is behind. */
  async take(chunk: Uint8Array): Promise<void> {
    const input = this.#input;
    if (input.destroyed || input.write(chunk)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        input.off('drain', done).off('close', done);
        resolve();
      };
      input.on('drain', done).on('close', done);
    });
  }

  async end(): Promise<void> {
    this.#input.end();
    const size = await this.#size;
    const blob = this.#blob;
    const computed = [...this.#digesters.values()].map((digester) => digester.digest());
    for (const diffId of this.#diffIds) {
      const actual = computed.find((digest) => digestAlgorithm(digest) === digestAlgorithm(diffId))!;
      if (actual !== diffId)
        throw digestMismatch({ digest: diffId, size }, actual, `content of layer ${blob.digest}`);
      noteProven({ diffId, blob }, size, this.#compression);
    }
  }

  drop(): void {
    this.#input.destroy();
  }
}
