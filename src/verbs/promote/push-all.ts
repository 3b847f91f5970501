import pLimit from 'p-limit';
import type { ContentOptions } from '../../content/source.ts';
import type { Digest } from '../../oci/digest.ts';
import type { RegistryRepository } from '../../registry/repository.ts';
import type { Planned } from './plan.ts';
import type { PushOptions } from './push.ts';
import { pushContent } from './push.ts';
import { together } from '../../stream/together.ts';

/** Options of {@link pushAll}. */
export interface PushAllOptions extends ContentOptions, Pick<PushOptions, 'onBlob' | 'onProgress'> {
  /** How many blobs go up at a time. Default 4. */
  concurrency?: number;
  mountFrom?: readonly RegistryRepository[];
}

/** To several registries at a time; into the repositories of one after another, so that the later ones take over what the first got. */
export async function pushAll(planned: readonly Planned[], options: PushAllOptions): Promise<void> {
  const { concurrency = 4, mountFrom = [], onBlob, onProgress } = options;
  const limit = pLimit(concurrency);
  const holders = new Map<Digest, RegistryRepository[]>();
  const repositories = new Map<RegistryRepository, Planned[]>();
  for (const image of planned) {
    for (const repository of new Set(image.targets.map((target) => target.repository))) {
      repositories.set(repository, [...(repositories.get(repository) ?? []), image]);
    }
  }
  const hosts = [...new Set([...repositories.keys()].map(({ host }) => host))];
  await together(hosts, options.signal, async (host, signal) => {
    for (const [repository, images] of repositories) {
      if (repository.host !== host) continue;
      for (const { image, cargo } of images) {
        onProgress?.({ kind: 'image', name: image.names[0] ?? image.root.digest });
        await pushContent(repository, cargo, { limit, holders, mountFrom, onBlob, onProgress, signal });
      }
    }
  });
}
