import type { ContentOptions, ContentSource } from '../../content/source.ts';
import { chainSources } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import type { Receiver } from '../../image/copy.ts';
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
  image: Pick<Planned, 'contents' | 'sources' | 'base'>,
  mounting: Mounting,
  { isHeld = false }: { isHeld?: boolean | undefined } = {},
): Receiver {
  const omitted = new Set(image.contents.omitted.map(({ digest }) => digest));
  return {
    takeBlob: async (blob, options) => {
      const by =
        isHeld || (await repository.has(blob, options))
          ? 'reused'
          : await upload(repository, blob, omitted.has(blob.digest), { ...image, ...mounting, ...options });
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
  isOmitted: boolean,
  {
    sources: [own, ...others],
    base,
    holders,
    mountFrom,
    onProgress,
    signal,
  }: Pick<Planned, 'sources' | 'base'> & Mounting & ContentOptions,
): Promise<'written' | 'mounted'> {
  const near = isOmitted ? others : [own, ...others];
  const bases = isOmitted ? repositoriesAmong(others) : [];
  const candidates = [...(holders.get(blob.digest) ?? []), ...bases, ...mountFrom];
  const from = candidates.find((other) => repository.mayMount(other));
  const source = chainSources(near);
  if (from === undefined && !(await source.has(blob, { signal })))
    throw nowhere(blob, isOmitted ? (base ?? 'which it does not name') : undefined);
  const onSent = (bytes: number): void => onProgress?.({ kind: 'bytes', direction: 'sent', bytes });
  const by = await repository.upload(blob, source, { mountFrom: from, signal, onSent });
  return by === 'sent' ? 'written' : by;
}

function nowhere({ digest }: Descriptor, base: string | undefined): DrayageError {
  return new DrayageError('NOT_FOUND', `no place holds blob ${digest}`, {
    digest,
    hint:
      base !== undefined
        ? `it is of the base image (${base}), and it was omitted: the registry of the base must still have it`
        : 'get the layout again; if that does not help, make it again',
  });
}
