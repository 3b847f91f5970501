import type { LimitFunction } from 'p-limit';
import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { chainSources } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import type { ParsedDocument } from '../../oci/manifest.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryRepository } from '../../registry/repository.ts';
import type { OnProgress } from '../../progress.ts';
import type { Parts } from './parts.ts';
import type { Referrer } from '../../image/referrers.ts';
import { together } from '../../stream/together.ts';

/** How a blob came to be in a repository. */
type PushedBy = 'sent' | 'mounted' | 'present';

/** What is pushed: an image, and what refers to it. */
export interface Cargo extends Parts {
  /** `tag`: of what has no `subject`, by which it is found all the same. */
  referrers: { referrer: Referrer; parts: Parts; tag?: string }[];
  /** Where blobs are, the nearest first: the image's place, others, the registry of its base. */
  sources: readonly ContentSource[];
  /** What the image is built on, where it says so. */
  base?: string;
}

/** Options of {@link pushContent}. */
export interface PushOptions extends ContentOptions {
  /** Bounds how many blobs go up at a time, to whatever registry. */
  limit: LimitFunction;
  /** Repositories that hold a blob, as far as this run knows; those that get one are added. */
  holders: Map<Digest, RegistryRepository[]>;
  /** Repositories that may hold any of the blobs. */
  mountFrom: readonly RegistryRepository[];
  onBlob: (descriptor: Descriptor, by: PushedBy) => void;
  onProgress?: OnProgress;
}

/**
 * Brings an image into a repository, without any tag: blobs first, several at a time, only those that it lacks; then manifests,
 * indexes, and what refers to them.
 * @throws {@link DrayageError} `NOT_FOUND` where no place has a blob, `INCOMPLETE`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`,
 * `UNREACHABLE`, `TIMEOUT`
 */
export async function pushContent(
  repository: RegistryRepository,
  cargo: Cargo,
  options: PushOptions,
): Promise<void> {
  await pushBlobs(repository, cargo, cargo, options);
  await pushDocuments(repository, cargo.documents, options);
  const listed = new Map<Digest, Set<Digest>>();
  for (const { referrer, parts, tag } of cargo.referrers) {
    const { subject, descriptor } = referrer;
    if (tag !== undefined) {
      await pushTagged(repository, { ...cargo, ...parts }, tag, options);
      continue;
    }
    const there =
      listed.get(subject) ??
      new Set(
        (await repository.referrers({ ...descriptor, digest: subject }, options)).map(({ digest }) => digest),
      );
    listed.set(subject, there);
    if (there.has(descriptor.digest)) continue;
    await pushBlobs(repository, parts, cargo, options);
    const document = parts.documents.at(-1);
    await pushDocuments(repository, parts.documents.slice(0, -1), options);
    if (document !== undefined) await repository.putReferrer(document, subject, descriptor, options);
  }
}

/** Brings what has no `subject` in under a tag of its own, unless something is there: other signatures, which stay. */
async function pushTagged(
  repository: RegistryRepository,
  cargo: Cargo,
  tag: string,
  options: PushOptions,
): Promise<void> {
  const root = cargo.documents.at(-1);
  const was = await repository.describe(tag, options);
  if (root === undefined || was?.digest === root.descriptor.digest) return;
  if (was !== undefined) {
    const message = `${repository.name}:${tag} is there already, with other content, and stays as it is`;
    options.onProgress?.({ kind: 'note', message });
    return;
  }
  await pushBlobs(repository, cargo, cargo, options);
  await pushDocuments(repository, cargo.documents.slice(0, -1), options);
  await repository.putManifest(root, tag, options);
}

async function pushDocuments(
  repository: RegistryRepository,
  documents: readonly ParsedDocument<unknown>[],
  { signal }: ContentOptions,
): Promise<void> {
  for (const document of documents) {
    const { descriptor } = document;
    if (await repository.has(descriptor, { signal })) continue;
    await repository.putManifest(document, descriptor.digest, { signal });
  }
}

async function pushBlobs(
  repository: RegistryRepository,
  { blobs, omitted }: Parts,
  { sources, base }: Cargo,
  options: PushOptions,
): Promise<void> {
  const { limit, holders, onBlob, onProgress } = options;
  await together(blobs, options.signal, (blob, signal) =>
    limit(async () => {
      signal.throwIfAborted();
      const isOmitted = omitted.has(blob.digest);
      const by = await pushBlob(repository, blob, isOmitted, { ...options, signal, sources, base });
      holders.set(blob.digest, [...(holders.get(blob.digest) ?? []), repository]);
      onBlob(blob, by);
      const status = by === 'sent' ? 'written' : 'reused';
      onProgress?.({ kind: 'layer', digest: blob.digest, size: blob.size, status });
    }),
  );
}

async function pushBlob(
  repository: RegistryRepository,
  blob: Descriptor,
  isOmitted: boolean,
  { sources, holders, mountFrom, signal, onProgress, base }: PushOptions & Pick<Cargo, 'sources' | 'base'>,
): Promise<PushedBy> {
  if (await repository.has(blob, { signal })) return 'present';
  const [own, ...others] = sources;
  // A base image's layers are not looked for in the place that left them out, where another has them.
  const near = isOmitted ? [...others, ...(own === undefined ? [] : [own])] : sources;
  const bases = others.filter((source) => source instanceof RegistryRepository);
  const inRegistry = own instanceof RegistryRepository ? [own] : [];
  const candidates = [
    ...(holders.get(blob.digest) ?? []),
    ...inRegistry,
    ...(isOmitted ? bases : []),
    ...mountFrom,
  ];
  const from = candidates.find((other) => repository.mayMount(other));
  const source = chainSources(near);
  if (from === undefined && !(await source.has(blob, { signal })))
    throw nowhere(blob, isOmitted ? (base ?? 'which it does not name') : undefined);
  const onSent = (bytes: number): void => onProgress?.({ kind: 'bytes', direction: 'sent', bytes });
  return repository.upload(blob, source, { mountFrom: from, signal, onSent });
}

function nowhere({ digest }: Descriptor, base: string | undefined): DrayageError {
  return new DrayageError('NOT_FOUND', `no place holds blob ${digest}`, {
    digest,
    hint:
      base !== undefined
        ? `it is of the base image (${base}), and it was omitted: the registry of the base must still have it`
        : 'get the layout once more; if that does not help, make it anew',
  });
}
