import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BuiltImage } from '../../src/cli/built-images.ts';
import { readMetadata } from '../../src/cli/built-images.ts';
import { fakeDigest } from '../oci/documents.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DIGEST = fakeDigest('a');
const CONFIG_DIGEST = fakeDigest('b');
const ODD = [null, '', {}, [], undefined, 7, true, 'x', ['x']];

async function read(metadata: unknown): Promise<BuiltImage[]> {
  const path = join(await temporaryFolder(), 'metadata.json');
  await writeFile(path, JSON.stringify(metadata));
  return readMetadata(path);
}

test.each(ODD)('a digest in the metadata of a build that is %j costs only itself', async (value) => {
  const both = { 'containerimage.digest': DIGEST, 'containerimage.config.digest': CONFIG_DIGEST };
  for (const key of Object.keys(both)) {
    const [image, ...others] = await read({ ...both, [key]: value });
    expect(others).toEqual([]);
    expect(image?.digests).toEqual(key === 'containerimage.digest' ? [CONFIG_DIGEST] : [DIGEST]);
  }
  const neither = { 'containerimage.digest': value, 'containerimage.config.digest': value };
  await expect(read(neither)).rejects.toMatchObject({
    code: 'MALFORMED',
    message: expect.stringMatching(/metadata\.json names no image$/),
  });
});

test.each(ODD.filter((value) => value !== 'x'))(
  'a name in the metadata that is %j is none',
  async (value) => {
    const image = { 'containerimage.digest': DIGEST, 'image.name': value };
    expect(await read(image)).toEqual([{ digests: [DIGEST], names: [], bases: [] }]);
  },
);

test.each(ODD)('provenance in the metadata that is %j names no base', async (value) => {
  const parts = [value, { materials: value }, { materials: [value] }, { materials: [{ uri: value }] }];
  for (const provenance of parts) {
    const image = { 'containerimage.digest': DIGEST, 'buildx.build.provenance': provenance };
    expect(await read(image)).toEqual([{ digests: [DIGEST], names: [], bases: [] }]);
  }
});

test.each(ODD)('a target of a bake that is %j costs only itself', async (value) => {
  const metadata = { odd: value, api: { 'containerimage.digest': DIGEST, 'image.name': 'api:1' } };
  expect(await read(metadata)).toEqual([{ digests: [DIGEST], names: ['api:1'], bases: [] }]);
});
