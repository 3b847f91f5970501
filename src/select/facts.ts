import { compareRuns, withSignedOrigin } from '../ci/origin.ts';
import type { StoredImage } from '../content/image-index.ts';
import type { ImagePolicy, SignedFacts, Voucher } from '../content/policy.ts';
import { isDrayageError } from '../errors.ts';

/**
 * The facts that the signatures of an image state. If there are several, only what is signed decides between them: those
 * about the image's names go first, then those that the policy permits, then those of the last run. The order and the
 * dates of referrers say nothing, because whoever writes to a place chooses them.
 */
export function factsOf(
  image: StoredImage,
  vouchers: readonly Voucher[] = [],
  policy?: ImagePolicy,
): SignedFacts | undefined {
  const all = vouchers.flatMap(({ signed }) => (signed === undefined ? [] : [signed]));
  const named = preferred(all, ({ names }) => image.names.every((name) => names?.includes(name)));
  return preferred(named, (facts) => isPermitted(image, facts, policy)).toSorted((a, b) =>
    compareRuns(b.origin, a.origin),
  )[0];
}

/** Those that pass a test; all of them if none passes. */
function preferred<T>(all: readonly T[], test: (one: T) => boolean | undefined): readonly T[] {
  const passing = all.filter((one) => test(one) === true);
  return passing.length > 0 ? passing : all;
}

function isPermitted(image: StoredImage, { origin }: SignedFacts, policy: ImagePolicy | undefined): boolean {
  try {
    const annotations = withSignedOrigin(image.annotations, origin);
    return policy === undefined || policy.choose([{ ...image, annotations }], () => {}).length > 0;
  } catch (error) {
    if (isDrayageError(error, 'POLICY')) return false;
    throw error;
  }
}
