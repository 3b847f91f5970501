import { expect, test } from 'vitest';
import { uniqueReference } from '../../src/listing/unique-reference.ts';
import { DOCKER_MANIFEST_LIST, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { fakeDigest } from '../oci/documents.ts';

const CONFIG = fakeDigest('c');

function refOf(name: string | undefined, annotations: Record<string, string> = {}, mediaType = OCI_MANIFEST) {
  const root = { mediaType, digest: fakeDigest('a'), size: 1 };
  return uniqueReference({ root, names: name === undefined ? [] : [name], annotations }, CONFIG);
}

test.each([
  ['app:1', 'app:drayage-cccccccccccc'],
  ['app', 'app:drayage-cccccccccccc'],
  ['docker.io/library/app:1', 'app:drayage-cccccccccccc'],
  ['group/app:1', 'group/app:drayage-cccccccccccc'],
  ['registry.example:5000/group/app:1', 'registry.example:5000/group/app:drayage-cccccccccccc'],
  ['localhost/app:1', 'localhost/app:drayage-cccccccccccc'],
  [undefined, 'drayage:drayage-cccccccccccc'],
])('the unique tag of %s is %s', (name, expected) => {
  expect(refOf(name)).toBe(expected);
});

test.each([
  ['4711', 'app:pipeline-4711-cccccccccccc'],
  ['1'.repeat(20), `app:pipeline-${'1'.repeat(20)}-cccccccccccc`],
  ['', 'app:drayage-cccccccccccc'],
  ['1'.repeat(21), 'app:drayage-cccccccccccc'],
  ['47/11', 'app:drayage-cccccccccccc'],
  ['4711\n', 'app:drayage-cccccccccccc'],
  ['x:y@z', 'app:drayage-cccccccccccc'],
])('saved by pipeline %j it is %s', (pipeline, expected) => {
  expect(refOf('app:1', { 'dev.drayage.gitlab.pipeline-id': pipeline })).toBe(expected);
});

test.each([OCI_INDEX, DOCKER_MANIFEST_LIST])('an index (%s) is named by its own digest', (mediaType) => {
  expect(refOf('app:1', {}, mediaType)).toBe('app:drayage-aaaaaaaaaaaa');
});
