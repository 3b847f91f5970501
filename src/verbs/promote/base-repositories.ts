import type { OpenRepository } from '../../image/base-image.ts';
import { parseReference } from '../../oci/reference.ts';
import type { Registries, TaggedRepository } from '../../registry/registries.ts';

/** Opens the repositories of base images. A registry that is a target anyway is asked without `openBase`. */
export function baseRepositories(
  targets: readonly TaggedRepository[],
  { registries, openBase }: { registries: Registries; openBase?: OpenRepository | undefined },
): OpenRepository {
  const own = new Set(targets.map(({ repository }) => repository.host));
  return async (reference, options) =>
    openBase === undefined || own.has(parseReference(reference).domain)
      ? registries.repository(reference)
      : openBase(reference, options);
}
