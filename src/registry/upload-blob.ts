import type { ContentOptions } from '../content/source.ts';
import { isDrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { pieces } from './pieces.ts';
import { hasContent } from './read-content.ts';
import type { RepositoryAddress } from './repository-address.ts';
import { UploadSession } from './upload-session.ts';

/** Options of {@link uploadBlob}. */
export interface UploadOptions extends ContentOptions {
  /** The path of another repository of the registry that may have the content. */
  mountFrom?: string;
}

/** Opens the content behind this many bytes. */
type OpenAt = (offset: number) => Promise<AsyncIterable<Uint8Array>>;

/** After this many bytes, earlier failures no longer count. */
const PROGRESS = 256 * 1024;
/** Statuses of servers that refuse a blob in one request; 413 mostly comes from a proxy. */
const NOT_WHOLE: ReadonlySet<number> = new Set([400, 405, 411, 413, 415, 501]);

/**
 * Uploads a blob that can be opened again. It sends one request. After an interruption it continues where it stopped.
 * If the registry or a proxy refuses the whole blob, it sends pieces. The registry checks the digest.
 * @throws {@link DrayageError} `DIGEST_MISMATCH`, `UNREACHABLE`, `TIMEOUT`; errors of `openAt` and its bytes
 */
export async function uploadBlob(
  repository: RepositoryAddress,
  descriptor: Descriptor,
  openAt: OpenAt,
  options: UploadOptions = {},
): Promise<'mounted' | 'sent'> {
  const { signal, mountFrom } = options;
  const { retry } = repository.api;
  const mount = mountFrom === undefined ? undefined : { digest: descriptor.digest, from: mountFrom };
  let session: UploadSession | undefined;
  let [offset, failures, whole] = [0, 0, true];
  try {
    for (;;) {
      try {
        if (session === undefined) {
          const begun = await UploadSession.begin(repository, { mount, signal });
          if (begun === 'mounted') return 'mounted';
          session = begun;
          offset = 0;
        }
        await sendRest(repository, session, { descriptor, openAt, offset, whole }, options);
        return 'sent';
      } catch (error) {
        signal?.throwIfAborted();
        if (session === undefined) throw error;
        if (whole && offset === 0 && takesNotWhole(error)) {
          whole = false;
          await session.cancel();
          session = undefined;
          continue;
        }
        failures++;
        await retry.pause(error, failures, signal);
        const received = await session.received(options);
        if (received === undefined || received > descriptor.size) {
          session = undefined;
          // Perhaps only the answer was lost.
          if (await hasContent(repository, descriptor, options)) return 'sent';
        } else {
          if (received - offset >= PROGRESS) failures = 0;
          offset = received;
        }
      }
    }
  } catch (error) {
    await session?.cancel();
    throw error;
  }
}

async function sendRest(
  { api }: RepositoryAddress,
  session: UploadSession,
  {
    descriptor: { digest, size },
    openAt,
    offset,
    whole,
  }: { descriptor: Descriptor; openAt: OpenAt; offset: number; whole: boolean },
  options: ContentOptions,
): Promise<void> {
  if (whole && offset === 0) {
    await session.commit(digest, { size, open: () => openAt(0) }, options);
    return;
  }
  if (whole && offset < size) {
    await session.append(offset, { size: size - offset, open: () => openAt(offset) }, options);
  } else if (offset < size) {
    let at = offset;
    for await (const piece of pieces(await openAt(offset), session.chunkSize(api.chunkSize))) {
      await session.append(at, { size: piece.length, open: async () => piece }, options);
      at += piece.length;
    }
  }
  await session.commit(digest, undefined, options);
}

function takesNotWhole(error: unknown): boolean {
  if (!isDrayageError(error, 'REFUSED', 'DENIED', 'UNREACHABLE')) return false;
  const refused = isDrayageError(error.cause) ? error.cause : error;
  return NOT_WHOLE.has(refused.facts.status ?? 0);
}
