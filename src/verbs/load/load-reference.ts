import type {
  ImageEndpoint,
  ImageTags,
  LastingEndpoint,
  EndpointLoadResult,
} from '../../content/endpoint.ts';
import { nameOf } from '../../content/image-index.ts';
import type { ContentOptions } from '../../content/source.ts';
import { isDrayageError } from '../../errors.ts';
import { tagOfSaver } from '../../listing/unique-reference.ts';
import { assertReferred, goneImage } from '../../image/referred-image.ts';
import type { SelectedReference } from '../../select/selection.ts';
import type { Leaseholder } from './lease.ts';
import { nameImage, namingEndpoint } from './name-image.ts';
import { putHeld } from './put-held.ts';

/** Where the image of a reference gets its names. */
interface ReferenceTarget extends ContentOptions {
  to: Pick<ImageTags, 'list'> & Pick<ImageEndpoint, 'inspect'> & Partial<ImageTags & LastingEndpoint>;
  lease?: Leaseholder | undefined;
}

/**
 * Gives the image of a reference its names, if the daemon is the one that the reference names, and has that very image.
 * If its unique tag means another image there, somebody interfered, and nothing is changed.
 * @param unique its unique tag, which the pipeline holds
 * @throws {@link DrayageError} `UNREACHABLE` for another daemon, or if the image is gone or was replaced
 */
export async function loadReference(
  { image: stored, reference }: SelectedReference,
  unique: string,
  names: readonly string[],
  target: ReferenceTarget,
): Promise<EndpointLoadResult> {
  const { to, signal } = target;
  const name = nameOf(stored);
  const naming = namingEndpoint(to, name);
  try {
    return await putHeld(target, unique, names, async (held, list) => {
      const before = await list();
      const owner = before.find((image) => image.names.includes(unique));
      if (owner !== undefined && owner.id !== reference.image)
        throw goneImage(name, reference, `${unique} means ${owner.id}`);
      await assertReferred({ name, tag: tagOfSaver(stored, reference.id) }, reference, to, { signal });
      return nameImage(naming, reference, held, before, { signal });
    });
  } catch (error) {
    if (isDrayageError(error, 'NOT_FOUND')) throw goneImage(name, reference, 'the image is gone');
    throw error;
  }
}
