import type { StoredImage } from '../content/image-index.ts';
import { isReference, normalizeName } from '../oci/reference.ts';
import type { ExpectedProvenance } from './expect.ts';
import { refusal } from './refusal.ts';
import type { AcceptedSignature } from './vet.ts';

/**
 * Compares the names of an image, and the words by which it was requested, with its names when it was signed. Each must
 * be in one of the accepted statements: an image that was signed twice may have got a name in between. If no statement
 * contains names, as those of other tools, names are not covered, and pass.
 * @throws {@link DrayageError} `POLICY`
 */
export function assertNames(
  { names, foundAs, root }: StoredImage,
  accepted: readonly AcceptedSignature[],
  { values }: ExpectedProvenance,
): void {
  const { name: further = [] } = values;
  const speaking = accepted.filter(({ provenance }) => provenance.names !== null);
  if (speaking.length === 0 || further === 'any') return;
  const signed = speaking.flatMap(({ provenance }) => provenance.names ?? []);
  const known = new Set([...signed, ...further, ...further.map(familiar)]);
  const asked = [...(foundAs ?? []), ...names];
  const unsigned = asked.find((name) => !known.has(name));
  if (unsigned === undefined) return;
  const as = signed.length === 0 ? 'without a name' : `as ${[...new Set(signed)].join(', ')}`;
  throw refusal('NAME', `${unsigned} is not what was signed: that image was signed ${as}`, {
    digest: root.digest,
    expected: signed.join(','),
    actual: unsigned,
    accepting: { name: [...further, unsigned] },
  });
}

function familiar(text: string): string {
  return isReference(text) ? normalizeName(text) : text;
}
