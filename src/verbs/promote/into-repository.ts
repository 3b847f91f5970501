import type { ContentOptions, ContentSource } from '../../content/source.ts';
import type { CopiedBy, Receiver } from '../../image/copy.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { OnProgress } from '../../progress.ts';
import { RegistryRepository } from '../../registry/repository.ts';
import type { Planned } from './plan.ts';

/** What is known of repositories that hold blobs, so that one of the same registry shares them. */
export interface Mounting {
  /** Repositories that got a blob in this run. */
  holders: Map<Digest, RegistryRepository[]>;
  /** Repositories that may hold any of the blobs. */
  mountFrom: readonly RegistryRepository[];
  onProgress?: OnProgress;
}

/**
 * Copies an image into a repository: a blob that it lacks is shared by another repository of its registry, or else read from
 * the nearest place that holds it and uploaded, going on where that breaks off.
 * @param isHeld whether the repository is known to hold all of it: then it is asked nothing. Default false
 */
export function intoRepository(
  repository: RegistryRepository,
  { contents, source, baseRepository }: Pick<Planned, 'contents' | 'source' | 'baseRepository'>,
  mounting: Mounting,
  { isHeld = false }: { isHeld?: boolean | undefined } = {},
): Receiver {
  const { mountFrom, onProgress } = mounting;
  const omitted = new Set(contents.omitted.map(({ digest }) => digest));
  const take = async (blob: Descriptor, { signal }: ContentOptions): Promise<CopiedBy> => {
    if (isHeld || (await repository.has(blob, { signal }))) return 'reused';
    const isOfBase = baseRepository !== undefined && omitted.has(blob.digest);
    const holders = mounting.holders.get(blob.digest) ?? [];
    const candidates = [...holders, ...(isOfBase ? [baseRepository] : []), ...mountFrom];
    return upload(repository, blob, candidates, { source, onProgress, signal });
  };
  return {
    takeBlob: async (blob, options) => {
      const by = await take(blob, options);
      const holders = mounting.holders.get(blob.digest) ?? [];
      mounting.holders.set(blob.digest, [...holders, repository]);
      return by;
    },
    takeDocument: async (document, options) => {
      const { descriptor } = document;
      if (isHeld || (await repository.has(descriptor, options))) return;
      await repository.putManifest(document, descriptor.digest, options);
    },
  };
}

/** Those of the places that are repositories of a registry. */
export function repositoriesAmong(places: readonly ContentSource[]): RegistryRepository[] {
  return places.filter((place) => place instanceof RegistryRepository);
}

async function upload(
  repository: RegistryRepository,
  blob: Descriptor,
  candidates: readonly RegistryRepository[],
  { source, onProgress, signal }: Pick<Planned, 'source'> & Pick<Mounting, 'onProgress'> & ContentOptions,
): Promise<'written' | 'mounted'> {
  const mountFrom = candidates.find((other) => repository.mayMount(other));
  const onSent = (bytes: number): void =>
    onProgress?.({ kind: 'bytes', direction: 'sent', bytes, digest: blob.digest });
  const by = await repository.upload(blob, readOnce(source), { mountFrom, signal, onSent });
  return by === 'sent' ? 'written' : by;
}

/** Layers that no one has proven, because a named base or a signature states them, are proven while they are sent. */
function readOnce(source: ContentSource): ContentSource {
  return {
    has: (blob, options) => source.has(blob, options),
    open: (blob, options) => source.open(blob, { ...options, once: true }),
  };
}
