import type { ContentOptions, ContentSource, VerifiableSource } from '../content/source.ts';
import { isRemote } from '../content/source.ts';
import { isDrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';

/**
 * Reads each blob from the first place on disk that holds it intact, otherwise from `remote`.
 * @param locals in the order in which they are asked; a blob is hashed before it is used
 */
export function localFirst(locals: readonly VerifiableSource[], remote: ContentSource): ContentSource {
  return {
    has: async (descriptor, options) => {
      for (const local of locals) if (await local.has(descriptor, options)) return true;
      return remote.has(descriptor, options);
    },
    open: async (descriptor, options) => {
      for (const local of locals) {
        if (await isIntact(local, descriptor, options)) return local.open(descriptor, options);
      }
      return remote.open(descriptor, options);
    },
    isRemote: async (descriptor, options) => {
      for (const local of locals) if (await local.has(descriptor, options)) return false;
      return isRemote(remote, descriptor, options);
    },
  };
}

async function isIntact(
  local: VerifiableSource,
  descriptor: Descriptor,
  options: ContentOptions | undefined,
): Promise<boolean> {
  try {
    if (!(await local.has(descriptor, options))) return false;
    await local.verifyBlob(descriptor, options);
    return true;
  } catch (error) {
    // Whatever is wrong with it, another place has the blob.
    if (isDrayageError(error)) return false;
    throw error;
  }
}
