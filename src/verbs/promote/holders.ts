import type { ContentOptions } from '../../content/source.ts';
import type { RegistryRepository } from '../../registry/repository.ts';
import type { Planned } from './plan.ts';

/**
 * The target repositories that hold an image already. They are asked for its documents only: a registry stores a manifest
 * over content that it has. The root comes first, because mostly its answer is enough. The manifests below an index are
 * asked for, too: some registries remove those that have no tag.
 */
export async function holdersOf(
  { targets, contents }: Pick<Planned, 'targets' | 'contents'>,
  { signal }: ContentOptions,
): Promise<Set<RegistryRepository>> {
  const documents = contents.documents.toReversed();
  const holds = async (repository: RegistryRepository): Promise<boolean> => {
    for (const { descriptor } of documents) if (!(await repository.has(descriptor, { signal }))) return false;
    return true;
  };
  const holders = new Set<RegistryRepository>();
  const repositories = [...new Set(targets.map(({ repository }) => repository))];
  await Promise.all(
    repositories.map(async (repository) => {
      if (await holds(repository)) holders.add(repository);
    }),
  );
  return holders;
}
