import type { ImagePlace } from '../content/image-index.ts';
import type { ImagePolicy } from '../content/policy.ts';
import { isDrayageError } from '../errors.ts';
import { taggedName } from '../oci/reference.ts';
import type { JudgedImage } from './judge.ts';
import { withoutRun, withSignedOrigin } from '../ci/origin.ts';
import { factsOf } from './facts.ts';
import { isRun, judge } from './judge.ts';
import { findAll } from './places.ts';
import type { Selection } from './selection.ts';

/**
 * Adds images to those found for each reference: a later run of the same job signed them under that name, but an
 * annotation gives them another one. The policy then takes the later run.
 * @param found for each reference, with signatures checked
 */
export async function withLaterRuns(
  places: readonly ImagePlace[],
  references: readonly string[],
  found: readonly JudgedImage[][],
  { policy, authenticate, signal }: Selection,
): Promise<JudgedImage[][]> {
  if (policy === undefined || authenticate === undefined) return [...found];
  const listed = await findAll(
    places.filter(({ asksByName }) => asksByName !== true),
    { signal, references: true, byContent: true },
  );
  // Without names, so that the signature alone says how the image is called.
  const nameless = listed.map(({ place, image }) => ({ place, image: { ...image, names: [] } }));
  const judged = await judge(nameless, { authenticate, policy, signal });
  // Another signature may decide about each name: it replaces what the place states, not what a signature does.
  const all = judged.flatMap((one, i) => {
    const annotations = nameless[i]?.image.annotations ?? {};
    return one.refusal === undefined ? [{ ...one, image: { ...one.image, annotations } }] : [];
  });
  return found.map((list, i) => {
    const name = taggedName(references[i] ?? '');
    if (name === undefined) return list;
    const known = new Set(list.map(({ image }) => image.root.digest));
    const hidden = all
      .filter(({ image }) => !known.has(image.root.digest))
      .flatMap((one) => signedAs(name, one, policy) ?? []);
    return [...list, ...hidden.filter((one) => replaces(one, list, policy))];
  });
}

/** An image under a name that was signed; undefined if it was not. */
function signedAs(name: string, one: JudgedImage, policy: ImagePolicy): JudgedImage | undefined {
  const image = { ...one.image, names: [name] };
  const facts = factsOf(image, one.vouchers, policy);
  if (facts?.names?.includes(name) !== true) return undefined;
  const signed = withSignedOrigin(image.annotations, facts.origin);
  const annotations = isRun(facts.origin) ? signed : withoutRun(signed);
  return { ...one, image: { ...image, annotations } };
}

/** Whether the policy drops an image that it takes otherwise, because of another one. */
function replaces(one: JudgedImage, list: readonly JudgedImage[], policy: ImagePolicy): boolean {
  const alone = chosen(list, policy);
  const together = chosen([...list, one], policy);
  return together.has(one.image) && [...alone].some((image) => !together.has(image));
}

function chosen(list: readonly JudgedImage[], policy: ImagePolicy): Set<JudgedImage['image']> {
  try {
    return new Set(
      policy.choose(
        list.map(({ image }) => image),
        () => {},
      ),
    );
  } catch (error) {
    if (!isDrayageError(error)) throw error;
    return new Set();
  }
}
