import type { Descriptor } from '../oci/descriptor.ts';
import { isReference, normalizeName } from '../oci/reference.ts';

/**
 * The familiar name that an entry of index.json goes by, if it has one. Of `org.opencontainers.image.ref.name` only a
 * full reference is taken: most programs put just a tag there.
 */
export function entryReference({ annotations }: Descriptor): string | undefined {
  const name = annotations?.['io.containerd.image.name'];
  if (name !== undefined && isReference(name)) return normalizeName(name);
  const ref = annotations?.['org.opencontainers.image.ref.name'];
  return ref !== undefined && /[:/]/.test(ref) && isReference(ref) ? normalizeName(ref) : undefined;
}
