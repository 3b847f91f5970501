import { Readable } from 'node:stream';
import type { ContentOptions, OpenOptions } from '../content/source.ts';
import type { HttpReply } from '../http/reply.ts';
import { drop, readContentRange } from '../http/reply.ts';
import type { Opened } from '../http/resumable.ts';
import { resumable } from '../http/resumable.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isDocumentType } from '../oci/media-types.ts';
import { sizeMismatch, verified } from '../stream/verified.ts';
import { notInRepository, outsideOf } from './errors.ts';
import type { RepositoryAddress } from './repository-address.ts';
import { repositoryScope } from './repository-address.ts';

/** The largest piece that a stream buffers, in bytes. */
const BUFFER = 512 * 1024;

/** Whether a repository has content of this digest and size. */
export async function hasContent(
  repository: RepositoryAddress,
  descriptor: Descriptor,
  { signal }: ContentOptions = {},
): Promise<boolean> {
  signal?.throwIfAborted();
  const { api } = repository;
  const to = contentPath(repository, descriptor);
  const scopes = [repositoryScope(repository, 'pull')];
  const reply = await api.ask({ method: 'HEAD', to, scopes, headers: accept(descriptor), signal });
  if (reply.status === 404) return ended(reply, false);
  if (reply.status !== 200) throw await api.refusal(reply, api.name(to), { digest: descriptor.digest });
  const size = reply.header('content-length');
  return ended(reply, size === undefined || Number(size) === descriptor.size);
}

/**
 * Opens content; the contract is that of {@link ContentSource.open}. After an interruption it continues where it
 * stopped.
 * @throws {@link DrayageError} `NOT_FOUND`, `SIZE_MISMATCH`, `UNREACHABLE`, `TIMEOUT`; `USAGE` for an offset behind the
 * end
 */
export async function openContent(
  repository: RepositoryAddress,
  descriptor: Descriptor,
  { offset = 0, signal }: OpenOptions = {},
): Promise<Readable> {
  signal?.throwIfAborted();
  if (offset < 0 || offset > descriptor.size) throw outsideOf(descriptor, offset);
  const { api, name } = repository;
  const openAt = (at: number): Promise<Opened> => openFrom(repository, descriptor, at, signal);
  const length = descriptor.size - offset;
  // Sends the first request now: its reply says whether the content is there.
  let first = length > 0 || offset === 0 ? await api.retry.run(() => openAt(offset), signal) : undefined;
  const body = first?.body;
  const bytes = resumable({
    offset,
    length,
    openAt: async (at) => {
      const opened = at === offset ? first : undefined;
      first = undefined;
      return opened ?? openAt(at);
    },
    url: `${name}@${descriptor.digest}`,
    retry: api.retry,
    signal,
    onReceived: () => {},
  });
  const what = `${descriptor.digest} of ${name}`;
  const checked = offset > 0 ? bytes : verified(bytes, descriptor, what);
  const stream = Readable.from(checked, { objectMode: false, highWaterMark: BUFFER });
  // A stream that nobody reads has not consumed it.
  stream.once('close', () => body?.on('error', () => {}).destroy());
  return stream;
}

async function openFrom(
  repository: RepositoryAddress,
  descriptor: Descriptor,
  at: number,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const { api } = repository;
  const to = contentPath(repository, descriptor);
  const range: Record<string, string> = at > 0 ? { range: `bytes=${at}-${descriptor.size - 1}` } : {};
  const headers = { ...accept(descriptor), ...range };
  const reply = await api.send({ to, scopes: [repositoryScope(repository, 'pull')], headers, signal });
  const part = reply.status === 206 ? readContentRange(reply) : undefined;
  if (reply.status !== 200 && part?.first !== at) throw await unreadable(repository, descriptor, reply);
  const size = part?.total ?? reply.header('content-length');
  if (size !== undefined && Number(size) !== descriptor.size) {
    drop(reply);
    throw sizeMismatch(descriptor, Number(size), `${descriptor.digest} of ${repository.name}`);
  }
  return { body: reply.body, skip: part === undefined ? at : 0 };
}

async function unreadable(
  repository: RepositoryAddress,
  descriptor: Descriptor,
  reply: HttpReply,
): Promise<Error> {
  const { api, name } = repository;
  const refused = await api.refusal(reply, `${name}@${descriptor.digest}`, { digest: descriptor.digest });
  return refused.code === 'NOT_FOUND' ? notInRepository(name, descriptor, refused) : refused;
}

/** Manifests and indexes have their own address, and are served only with the requested type. */
function contentPath({ path }: RepositoryAddress, { digest, mediaType }: Descriptor): string {
  return `${path}/${isDocumentType(mediaType) ? 'manifests' : 'blobs'}/${digest}`;
}

function accept({ mediaType }: Descriptor): Record<string, string> {
  return isDocumentType(mediaType) ? { accept: mediaType } : {};
}

function ended<T>(reply: HttpReply, result: T): T {
  drop(reply);
  return result;
}
