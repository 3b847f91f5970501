import type { BlobWriter } from '../content/sink.ts';
import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import { networkError } from '../http/network-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { createDigester, digestAlgorithm } from '../oci/digest.ts';
import { OCTET_STREAM } from '../oci/media-types.ts';
import { digestMismatch, sizeMismatch } from '../stream/verified.ts';
import { uploadLost } from './errors.ts';
import type { RepositoryAddress } from './repository-address.ts';
import { uploadBlob } from './upload-blob.ts';
import { UploadSession } from './upload-session.ts';

/**
 * A blob that is uploaded while it is written, piece by piece; a small one in one request when it is committed. A piece
 * is kept until the registry has it, so that it can be sent again.
 */
export class BlobUpload implements BlobWriter {
  readonly #repository: RepositoryAddress;
  readonly #signal: AbortSignal | undefined;
  readonly #digester = createDigester();
  #result: Promise<Descriptor> | undefined;
  #aborted = false;
  #session: UploadSession | undefined;
  #held: Uint8Array[] = [];
  #heldSize = 0;
  /** Bytes that the registry has received. */
  #sent = 0;

  constructor(repository: RepositoryAddress, { signal }: ContentOptions) {
    this.#repository = repository;
    this.#signal = signal;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#assertOpen();
    if (this.#result !== undefined) {
      throw new DrayageError('USAGE', 'the blob is whole: nothing can be added to it');
    }
    this.#digester.update(chunk);
    this.#held.push(chunk);
    this.#heldSize += chunk.length;
    if (this.#heldSize < this.#repository.api.chunkSize) return;
    // The registry says when the upload begins how small a piece may be.
    this.#session ??= await beginUpload(this.#repository, { signal: this.#signal });
    if (this.#heldSize >= this.#session.chunkSize(this.#repository.api.chunkSize)) await this.#send();
  }

  async commit(expected: Partial<Descriptor> = {}): Promise<Descriptor> {
    this.#assertOpen();
    this.#result ??= this.#commit(expected);
    return this.#result;
  }

  async abort(): Promise<void> {
    if (this.#result !== undefined || this.#aborted) return;
    this.#aborted = true;
    await this.#session?.cancel();
  }

  async #commit(expected: Partial<Descriptor>): Promise<Descriptor> {
    try {
      const actual = this.#digester.digest();
      const size = this.#sent + this.#heldSize;
      const { digest = actual, mediaType = OCTET_STREAM } = expected;
      const wanted = { digest, size: expected.size ?? size, mediaType };
      const what = `blob ${digest}`;
      if (wanted.size !== size) throw sizeMismatch(wanted, size, what);
      // The registry checks a digest of another algorithm.
      const isComparable = digestAlgorithm(digest) === digestAlgorithm(actual);
      if (isComparable && digest !== actual) throw digestMismatch(wanted, actual, what);
      await this.#finish(wanted);
      return wanted;
    } catch (error) {
      await this.#session?.cancel();
      throw error;
    }
  }

  async #finish(descriptor: Descriptor): Promise<void> {
    const options = { signal: this.#signal };
    if (this.#session === undefined) {
      const bytes = Buffer.concat(this.#held);
      await uploadBlob(this.#repository, descriptor, async (at) => inMemory(bytes.subarray(at)), options);
      return;
    }
    if (this.#heldSize > 0) await this.#send();
    await this.#session.commit(descriptor.digest, undefined, options);
  }

  /** Sends the kept bytes as one piece. After a failure, sends the part that the registry does not have. */
  async #send(): Promise<void> {
    const options = { signal: this.#signal };
    const { api, name } = this.#repository;
    const piece = Buffer.concat(this.#held);
    // Keeps the piece only once while it is sent.
    this.#held = [piece];
    const start = this.#sent;
    for (let failures = 0; ;) {
      try {
        this.#session ??= await beginUpload(this.#repository, options);
        const rest = piece.subarray(this.#sent - start);
        if (rest.length > 0) {
          await this.#session.append(this.#sent, { size: rest.length, open: async () => rest }, options);
        }
        break;
      } catch (error) {
        failures++;
        await api.retry.pause(networkError(name, error), failures, this.#signal);
        const received = await this.#session?.received(options);
        if (received === undefined) this.#session = undefined;
        this.#sent = received ?? 0;
        // The bytes before this piece are no longer kept.
        if (this.#sent < start || this.#sent > start + piece.length) throw uploadLost(name, error);
      }
    }
    this.#sent = start + piece.length;
    this.#held = [];
    this.#heldSize = 0;
  }

  #assertOpen(): void {
    this.#signal?.throwIfAborted();
    if (this.#aborted) throw new DrayageError('USAGE', 'the blob was aborted');
  }
}

async function beginUpload(repository: RepositoryAddress, options: ContentOptions): Promise<UploadSession> {
  const session = await UploadSession.begin(repository, options);
  if (session === 'mounted') throw uploadLost(repository.name);
  return session;
}

async function* inMemory(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
