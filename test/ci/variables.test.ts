import { expect, test } from 'vitest';
import type { ShippedImage } from '../../src/ci/variables.ts';
import { imageVariables } from '../../src/ci/variables.ts';
import { digestOf } from '../../src/oci/digest.ts';

function image(ref: string, name: string | null = null): ShippedImage {
  return { name, ref, id: digestOf(Buffer.from(`id ${ref}`)), digest: digestOf(Buffer.from(ref)) };
}

const API = image(
  'registry.example:5000/group/api-server:pipeline-1-aaaaaaaaaaaa',
  'registry.example:5000/group/api-server:1',
);
const APP = image('app:pipeline-1-bbbbbbbbbbbb', 'app:1');
const DEBUG = image('app:pipeline-1-cccccccccccc', 'app:debug');

/** KEY=value lines of all that there is. */
function lines(images: ShippedImage[], wanted?: string[]): string[] {
  const { references, ids, digests } = imageVariables(images, wanted);
  return [...references, ...ids, ...digests].map(({ key, value }) => `${key}=${value}`);
}

test('each image has a reference, an ID and a digest, by its repository without the registry', () => {
  expect(lines([API, APP])).toEqual([
    `DRAYAGE_GROUP_API_SERVER_REF=${API.ref}`,
    `DRAYAGE_APP_REF=${APP.ref}`,
    `DRAYAGE_GROUP_API_SERVER_ID=${API.id}`,
    `DRAYAGE_APP_ID=${APP.id}`,
    `DRAYAGE_GROUP_API_SERVER_DIGEST=${API.digest}`,
    `DRAYAGE_APP_DIGEST=${APP.digest}`,
  ]);
});

test('an image without a name goes by the repository of its unique tag', () => {
  expect(lines([image('drayage:pipeline-1-dddddddddddd')])[0]).toBe(
    'DRAYAGE_DRAYAGE_REF=drayage:pipeline-1-dddddddddddd',
  );
});

test('one image under several names is one', () => {
  expect(lines([APP, { ...APP, name: 'app:latest' }])).toEqual(lines([APP]));
});

test('two images that would share a variable are ambiguous', () => {
  expect(() => lines([APP, DEBUG])).toThrow(
    expect.objectContaining({
      code: 'AMBIGUOUS',
      message: 'app:1 and app:debug would both be DRAYAGE_APP_REF',
      facts: expect.objectContaining({
        reason: 'VARIABLE_CLASH',
        candidates: ['app:1', 'app:debug'],
      }) as object,
    }) as Error,
  );
  expect(() => lines([image('a/b:x', 'a/b:x'), image('a-b:x', 'a-b:x')])).toThrow(
    /would both be DRAYAGE_A_B_REF/,
  );
});

test('of several images without a name, the first has the variables', () => {
  const nameless = ['dddddddddddd', 'eeeeeeeeeeee'].map((hex) => image(`drayage:pipeline-1-${hex}`));
  expect(lines(nameless)[0]).toBe('DRAYAGE_DRAYAGE_REF=drayage:pipeline-1-dddddddddddd');
  expect(lines(nameless)).toHaveLength(3);
});

test('an image named job has no ID, which would be an option of the next load', () => {
  expect(lines([image('job:1')]).map((line) => line.split('=')[0])).toEqual([
    'DRAYAGE_JOB_REF',
    'DRAYAGE_JOB_DIGEST',
  ]);
});

test('an image with a variable of its own may share its name', () => {
  expect(lines([APP, DEBUG], ['APP_DEBUG=app:debug']).slice(0, 2)).toEqual([
    `APP_DEBUG=${DEBUG.ref}`,
    `DRAYAGE_APP_REF=${APP.ref}`,
  ]);
});

test.each([
  ['DRAYAGE_IMAGE', APP.ref],
  ['IMAGE_DIGEST', APP.digest],
  ['APP_ID', APP.id],
  ['IMAGE=app:1', APP.ref],
  [`IMAGE_DIGEST=${APP.ref}`, APP.digest],
])('the variable %s is %s', (wanted, value) => {
  expect(lines([APP], [wanted])[0]).toBe(`${wanted.split('=')[0]}=${value}`);
});

test('a variable that is asked for replaces the one of that name, and the last of several counts', () => {
  const found = lines([API, APP], ['DRAYAGE_APP_REF=app:1', `DRAYAGE_APP_REF=${API.ref}`]);
  expect(found.filter((text) => text.startsWith('DRAYAGE_APP_REF='))).toEqual([`DRAYAGE_APP_REF=${API.ref}`]);
});

test.each([
  ['1IMAGE', 'USAGE'],
  ['MY-IMAGE', 'USAGE'],
  ['', 'USAGE'],
  ['IMAGE', 'AMBIGUOUS'],
  ['IMAGE=none:1', 'NOT_FOUND'],
])('--env %s of two images is %s', (wanted, code) => {
  expect(() => lines([API, APP], [wanted])).toThrow(expect.objectContaining({ code }) as Error);
});
