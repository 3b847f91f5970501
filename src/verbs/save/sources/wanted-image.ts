import type { EndpointImage } from '../../../content/endpoint.ts';
import { DrayageError } from '../../../errors.ts';
import { ORIGINAL_INDEX } from '../../../image/annotations.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { ArrivedImage } from '../../../content/arrived-image.ts';

/** An image that a daemon is asked for. */
export interface WantedImage {
  image: EndpointImage;
  /** Those by which it was asked for. */
  names: string[];
  /** What it goes by: its ID, or, for one platform of several, the digest of that manifest. */
  digest: Digest;
}

/**
 * Finds what was asked for among what was sent: by its digest, or, where an ID is of a manifest as it was sent, by its
 * layers.
 * @throws {@link DrayageError} `DAEMON` where it is not there
 */
export function findAsked({ image, digest }: WantedImage, arrivals: readonly ArrivedImage[]): ArrivedImage {
  const found =
    arrivals.find(({ id, root, annotations }) =>
      [id, root.digest, annotations[ORIGINAL_INDEX]].some((own) => own === digest || own === image.id),
    ) ?? arrivals.find(({ layers }) => String(layers.map(({ diffId }) => diffId)) === String(image.diffIds));
  if (found !== undefined) return found;
  const sent = arrivals.map(({ id }) => id).join(', ') || 'no image';
  throw new DrayageError('DAEMON', `the daemon was asked for ${digest} and sent ${sent}`, {
    expected: digest,
    actual: sent,
    hint: 'save it again',
  });
}
