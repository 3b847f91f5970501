import { PassThrough } from 'node:stream';
import { digestAlgorithm } from '../oci/digest.ts';
import { decompressDetected } from '../stream/sniffed.ts';
import { digestMismatch } from '../stream/verified.ts';
import type { Layer } from './layer.ts';
import { digestContent } from './prove.ts';
import { noteProven } from './proven.ts';

/** How many bytes of the blob the decoder may be behind. */
const BEHIND = 1024 * 1024;

/**
 * Passes a layer's blob through, and proves meanwhile that it contains the layer: it is decompressed and hashed beside.
 * The last chunk is passed on when that is proven, so that a reader never gets all of another layer.
 * @param bytes the blob, verified by its source
 * @throws {@link DrayageError} `DIGEST_MISMATCH` for another layer; `MALFORMED`, `TRUNCATED`, `UNSUPPORTED`; errors of
 * the source as they are
 */
export async function* provenPassing(
  bytes: AsyncIterable<Uint8Array>,
  layer: Layer,
): AsyncGenerator<Uint8Array, void, undefined> {
  const proof = new Proof(layer);
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
  readonly #layer: Layer;
  readonly #input = new PassThrough({ highWaterMark: BEHIND });
  readonly #result: Promise<{ digest: string; size: number }>;

  constructor(layer: Layer) {
    this.#layer = layer;
    // What matters of its errors, the result reports.
    this.#input.on('error', () => undefined);
    const content = decompressDetected(this.#input, `layer ${layer.blob.digest}`);
    this.#result = digestContent(content, digestAlgorithm(layer.diffId));
    this.#result.catch(() => (this.hasFailed = true));
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
    const { digest: actual, size } = await this.#result;
    const { diffId, blob } = this.#layer;
    if (actual !== diffId)
      throw digestMismatch({ digest: diffId, size }, actual, `content of layer ${blob.digest}`);
    noteProven(this.#layer, size);
  }

  drop(): void {
    this.#input.destroy();
  }
}
