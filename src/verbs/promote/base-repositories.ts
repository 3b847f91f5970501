import type { OpenRepository } from '../../image/base-image.ts';
import { parseReference } from '../../oci/reference.ts';
import type { Registries, TaggedRepository } from '../../registry/registries.ts';

/** Opens the repositories of base images. A registry that is a target anyway is asked without `openBase`. */
export function baseRepositories(
  targets: readonly TaggedRepository[],
  { registries, openBase }: { registries: Registries; openBase?: OpenRepository | undefined },
): OpenRepository {
  return async (reference, options) =>
    openBase === undefined || isTarget(reference, targets)
      ? registries.repository(reference)
      : openBase(reference, options);
}

/** Whether a reference names a registry that is a target. */
export function isTarget(reference: string, targets: readonly TaggedRepository[]): boolean {
  const { domain } = parseReference(reference);
  return targets.some(({ repository }) => repository.host === domain);
}
