import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isDrayageError } from '../../src/errors.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { SaveOptions } from '../../src/verbs/save/options.ts';
import { save } from '../../src/verbs/save/save.ts';
import { fixturePath, unpackFixture } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** What a save takes out of a place: names, IDs and layers; or the code of its refusal. */
async function taken(from: SaveOptions['from']): Promise<unknown> {
  const to = await Layout.create(join(await temporaryFolder(), 'to'));
  try {
    const { images } = await save({ from, to, compress: 'none' });
    return images
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ name, id, layers }) => [name, id, layers.map(({ diffId }) => diffId)]);
  } catch (error) {
    if (!isDrayageError(error)) throw error;
    return error.code;
  }
}

// Those of docker 28 with the graph store list untagged images in manifest.json alone, which a layout's reader does not read.
test.each([
  'buildx-docker',
  'buildx-oci.layout',
  'demo',
  'docker-28-containerd-attestation',
  'docker-28-containerd-classic',
  'docker-28-containerd-gzip',
  'docker-28-containerd-incomplete',
  'docker-28-containerd-loaded',
  'docker-28-containerd-one-platform',
  'docker-28-containerd-platforms',
  'docker-28-containerd-sparse',
  'docker-28-containerd-zstd',
  'podman-oci-archive',
  'podman-oci-archive-uncompressed',
  'skopeo-oci-archive',
  'skopeo-oci.layout',
  'skopeo-oci-zstd.layout',
  'umoci.layout',
])('%s has the same images as a folder and as a tar', async (name) => {
  const isIncomplete = name === 'docker-28-containerd-incomplete';
  const expected: unknown = isIncomplete ? 'INCOMPLETE' : expect.any(Array);
  const folder = await Layout.open(await unpackFixture(`${name}.tar`, await temporaryFolder()));
  const archive = createReadStream(fixturePath(`${name}.tar`));
  const images = await taken(folder);
  expect(images).toEqual(expected);
  expect(await taken({ archive })).toEqual(images);
});
