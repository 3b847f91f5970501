import { expect, test } from 'vitest';
import { REF_NAME } from '../../../src/oci/annotations.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts';
import { chooseReferrers, cosignTag } from '../../../src/verbs/promote/referrers.ts';
import type { Referrer } from '../../../src/image/referrers.ts';

const IMAGE = digestOf(Buffer.from('image'));
const TAG = IMAGE.replace(':', '-');

function referrer(
  text: string,
  fields: Partial<Descriptor> = {},
  subject = IMAGE,
): Pick<Referrer, 'subject' | 'descriptor'> {
  const digest = digestOf(Buffer.from(text));
  return { subject, descriptor: { mediaType: OCI_MANIFEST, digest, size: 1, ...fields } };
}

const GOOD = referrer('good', { artifactType: 'bundle' });
const JUNK = referrer('junk', { artifactType: 'bundle' });
const SBOM = referrer('sbom', { artifactType: 'sbom', annotations: { predicateType: 'https://spdx.dev' } });
const SIG = referrer('sig', { annotations: { [REF_NAME]: `${TAG}.sig` } });
const OF_JUNK = referrer('of junk', { artifactType: 'sbom' }, JUNK.descriptor.digest);
const ALL = [GOOD, JUNK, SBOM, SIG, OF_JUNK];

test.each([
  ['nobody asked: all', undefined, [], ALL],
  ['what vouches', [GOOD.descriptor], [], [GOOD]],
  ['with a type: but nothing that refers to what stays', [GOOD.descriptor], ['sbom'], [GOOD, SBOM]],
  ['with what is attested', [], ['https://spdx.dev'], [SBOM]],
  ['with the end of a tag', [], ['.sig'], [SIG]],
  ['with all', [GOOD.descriptor], ['all'], ALL],
])('goes along where %s', (_, vouchers, attach, expected) => {
  expect(chooseReferrers(ALL, { vouchers, attach })).toEqual(expected);
});

test.each([
  [`${TAG}.sig`, `${TAG}.sig`],
  [`registry.example/app:${TAG}.att`, `${TAG}.att`],
  [TAG, undefined],
  ['app:1', undefined],
  [`sha512-${'0'.repeat(128)}.sbom`, undefined],
])('the tag of what is named %s is %s', (name, tag) => {
  expect(cosignTag({ ...SIG.descriptor, annotations: { [REF_NAME]: name } })).toBe(tag);
});
