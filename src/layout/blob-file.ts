import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { HashBlobOptions, OpenOptions } from '../content/source.ts';
import { DrayageError, isMismatch } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { digestMismatch, sized, sizeMismatch, verified } from '../stream/verified.ts';
import { onDisk } from '../disk/io-error.ts';
import { forgetBlob, isKnownBlob, rememberBlob, stampOf } from './known-blobs.ts';
import type { Root } from '../disk/below.ts';
import { lookBelow, openBelow, pathBelow } from '../disk/below.ts';
import { blobName } from '../oci/layout.ts';

/** A file below a folder whose links are not followed: a blob of a layout, or one in staging. */
export interface BlobFile {
  root: Root;
  names: readonly string[];
}

/** How much is read at a time, in bytes. */
const READ_SIZE = 512 * 1024;

/** How many bytes show how content is compressed. */
const HEAD = 64;

/** The path of a digest's content in a layout. */
export function blobNames(digest: Digest): string[] {
  return blobName(digest).split('/');
}

/** The path of a blob file. */
export function blobPath({ root, names }: BlobFile): string {
  return pathBelow(root, names);
}

/**
 * Whether a file exists and has the descriptor's size.
 * @throws {@link DrayageError} `LINK`, `IO`
 */
export async function hasBlob(file: BlobFile, descriptor: Descriptor): Promise<boolean> {
  const stats = await lookBelow(file.root, file.names);
  return stats !== undefined && stats.size === BigInt(descriptor.size);
}

/**
 * Opens a blob file; the contract is that of {@link ContentSource.open}. Errors name the file.
 * @throws {@link DrayageError} `NOT_FOUND`, `LINK`; `USAGE` for an offset behind the end
 */
export async function openBlob(
  file: BlobFile,
  descriptor: Descriptor,
  options: OpenOptions = {},
): Promise<Readable> {
  const { offset = 0, signal } = options;
  signal?.throwIfAborted();
  if ((await lookBelow(file.root, file.names)) === undefined) throw blobNotFound(file, descriptor);
  if (offset < 0 || offset > descriptor.size) {
    throw new DrayageError('USAGE', `offset ${offset} is outside of blob ${descriptor.digest}`, {
      expected: descriptor.size,
      actual: offset,
    });
  }
  // The file is opened with the first read: an unread stream holds no handle.
  return Readable.from(readBlob(file, descriptor, options), {
    objectMode: false,
    highWaterMark: READ_SIZE,
  });
}

/** The bytes of a blob file. They are checked against the descriptor if they are read from the start. */
export async function* readBlob(
  file: BlobFile,
  descriptor: Descriptor,
  { offset = 0, signal, trustUnchanged = false }: OpenOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const path = blobPath(file);
  const handle = await openBelow(file.root, file.names);
  if (handle === undefined) throw blobNotFound(file, descriptor);
  try {
    const before = await stateOf(handle, path);
    if (before.size !== BigInt(descriptor.size)) {
      throw sizeMismatch(descriptor, Number(before.size), `blob ${path}`);
    }
    // No receiver gets more than it was told to expect.
    const bytes = sized(
      readFrom({ path, handle, size: descriptor.size }, offset, signal),
      descriptor,
      `blob ${path}`,
      offset,
    );
    const reading = { handle, path, before };
    const isKnown = trustUnchanged && isKnownBlob(path, descriptor.digest, before);
    const isHashed = !isKnown && offset === 0;
    yield* blamingChange(isHashed ? remembered(bytes, descriptor, reading) : bytes, descriptor, reading);
    if (isKnown && (await hasChanged(reading))) throw changedWhileRead(descriptor, path);
  } catch (error) {
    throw withPath(error, path);
  } finally {
    await handle.close();
  }
}

/**
 * Checks a blob file as reading it does, and remembers its digest. Its bytes are hashed by `digestFile`.
 * @returns its first bytes
 */
export async function hashBlobFile(
  file: BlobFile,
  descriptor: Descriptor,
  { digestFile, signal }: HashBlobOptions,
): Promise<Uint8Array> {
  const path = blobPath(file);
  const handle = await openBelow(file.root, file.names);
  if (handle === undefined) throw blobNotFound(file, descriptor);
  try {
    const reading = { handle, path, before: await stateOf(handle, path) };
    const { size } = reading.before;
    if (size !== BigInt(descriptor.size)) throw sizeMismatch(descriptor, Number(size), `blob ${path}`);
    forgetBlob(path);
    const head = await headOf(reading, signal);
    const actual = await digestFile(handle.fd, descriptor.size).catch(async (error: unknown) => {
      throw (await hasChanged(reading)) ? changedWhileRead(descriptor, path) : error;
    });
    if (await hasChanged(reading)) throw changedWhileRead(descriptor, path);
    if (actual !== descriptor.digest) throw digestMismatch(descriptor, actual, `blob ${path}`);
    rememberBlob(path, descriptor.digest, reading.before);
    return head;
  } catch (error) {
    throw withPath(error, path);
  } finally {
    await handle.close();
  }
}

async function headOf({ path, handle }: Reading, signal: AbortSignal | undefined): Promise<Uint8Array> {
  for await (const bytes of readFrom({ path, handle, size: HEAD }, 0, signal)) return bytes;
  return new Uint8Array(0);
}

/** A file that is being read, and its state at the start. */
interface Reading {
  handle: FileHandle;
  path: string;
  before: BigIntStats;
}

/** Hashes the bytes and remembers the digest of the file. */
async function* remembered(
  bytes: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
  reading: Reading,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { path, before } = reading;
  forgetBlob(path);
  yield* verified(bytes, descriptor, `blob ${path}`);
  if (!(await hasChanged(reading))) rememberBlob(path, descriptor.digest, before);
}

/** Fails with {@link changedWhileRead} if the bytes do not match because the file was changed after its size was checked. */
async function* blamingChange(
  bytes: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
  reading: Reading,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* bytes;
  } catch (error) {
    const isChanged = isMismatch(error) && (await hasChanged(reading));
    throw isChanged ? changedWhileRead(descriptor, reading.path) : error;
  }
}

/** Whether a file was changed since its reading began: its modification time can be set back, its change time cannot. */
async function hasChanged({ handle, path, before }: Reading): Promise<boolean> {
  return stampOf(await stateOf(handle, path)) !== stampOf(before);
}

/**
 * The error for a file that was written to while it was read, whatever its size became. It has no cause: a mismatch would call
 * the blob damaged. Forgets its digest.
 */
function changedWhileRead({ digest }: Descriptor, path: string): DrayageError {
  forgetBlob(path);
  return new DrayageError('DIGEST_MISMATCH', `blob ${path} was changed while it was read`, {
    digest,
    hint: 'let nothing write to it meanwhile',
  });
}

/** The error for an absent blob. */
export function blobNotFound(file: BlobFile, descriptor: Descriptor): DrayageError {
  const path = blobPath(file);
  return new DrayageError('NOT_FOUND', `no blob ${descriptor.digest}: ${path} does not exist`, {
    path,
    digest: descriptor.digest,
  });
}

async function stateOf(handle: FileHandle, path: string): Promise<BigIntStats> {
  return onDisk(path, 'read', () => handle.stat({ bigint: true }));
}

/** The bytes of an open file from an offset on. For a file of a few hundred bytes, the memory is no larger than it. */
export async function* readFrom(
  { path, handle, size }: { path: string; handle: FileHandle; size: number },
  offset: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let position = offset; ;) {
    signal?.throwIfAborted();
    // A byte more shows whether the file has grown.
    const length = Math.min(READ_SIZE, Math.max(0, size - position) + 1);
    const buffer = Buffer.allocUnsafeSlow(length);
    const { bytesRead } = await onDisk(path, 'read', () => handle.read(buffer, 0, length, position));
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function withPath(error: unknown, path: string): unknown {
  if (!isMismatch(error)) return error;
  return new DrayageError(error.code, error.message, { ...error.facts, path });
}
