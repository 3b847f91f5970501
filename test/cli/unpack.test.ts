import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { unpackArchives } from '../../src/cli/unpack.ts';
import type { ImagePlace } from '../../src/index.ts';
import { sampleImage, sampleIndex } from '../../src/testing/sample-images.ts';
import { layoutFiles } from '../gitlab/artifacts.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { contextOf } from './contexts.ts';

const ONE = sampleImage(['one']);
const ARM = sampleImage(['arm'], 'arm64');
const BOTH = sampleIndex([ONE, ARM]);

/** An archive of an index without one of its manifests, all of it unpacked: one of several places, whose images are chosen later. */
async function unpacked(): Promise<ImagePlace> {
  const blobs = BOTH.blobs.filter(([{ digest }]) => digest !== ARM.root.digest);
  const files = layoutFiles(blobs, { folder: '.', manifests: [BOTH.root] });
  const path = join(await temporaryFolder(), 'layout.tar');
  await writeFile(path, tar(...[...files].map(([name, bytes]) => entry(name, bytes))));
  const archives = await unpackArchives([`oci-archive:${path}`], contextOf());
  onTestFinished(() => archives[Symbol.asyncDispose]());
  return archives.places[0] ?? expect.fail();
}

test.each([
  ['digest', BOTH.root.digest],
  ['first digits', BOTH.root.digest.slice(0, 14)],
  ['hex', BOTH.root.digest.slice(7)],
  ['digest behind a name', `app@${BOTH.root.digest}`],
])('the part of an index that was there is found by the %s of that index', async (_, reference) => {
  const place = await unpacked();
  expect(await place.resolve(reference)).toMatchObject([{ root: { digest: ONE.root.digest } }]);
});

test.each([ARM.root.digest, 'abcdef', BOTH.root.digest.slice(7, 13), 'none:1'])(
  'what was not there is not found: %s',
  async (reference) => {
    const place = await unpacked();
    await expect(place.resolve(reference)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  },
);
