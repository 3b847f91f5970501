import { expect, test } from 'vitest';
import { images as imagesOf } from '../../../../src/image/image.ts';
import { Layout } from '../../../../src/layout/layout.ts';
import { ORIGINAL_INDEX } from '../../../../src/image/annotations.ts';
import type { SaveSource } from '../../../../src/verbs/save/sources/source.ts';
import { save } from '../../../../src/verbs/save/save.ts';
import { verify } from '../../../../src/verbs/verify/verify.ts';
import { fixtureArchive } from '../../../support/fixtures.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const ARCHIVE = 'docker-28-containerd-platforms.tar';
const ARM = { os: 'linux', architecture: 'arm64' };

async function sources(): Promise<Record<string, SaveSource>> {
  const layout = await Layout.create(`${await temporaryFolder()}/source`);
  await save({ from: fixtureArchive(ARCHIVE), to: layout });
  return { archive: fixtureArchive(ARCHIVE), layout };
}

test.each(['archive', 'layout'])(
  'of a multi-platform image in an %s comes the one for a platform',
  async (kind) => {
    const { [kind]: from = expect.fail() } = await sources();
    const to = await Layout.create(`${await temporaryFolder()}/layout`);
    const { images } = await save({ from, to, platform: ARM });
    expect(images.map(({ name, platform }) => [name, platform])).toEqual([
      ['example/multi:1', 'linux/arm64'],
    ]);
    const [stored] = await to.images();
    const found = [];
    for await (const { manifest } of imagesOf(to, stored?.root ?? expect.fail()))
      found.push(manifest.descriptor.digest);
    expect(found).toEqual([images[0]?.digest]);
    expect(stored?.annotations[ORIGINAL_INDEX]).toMatch(/^sha256:9c2b2451e3de/);
    expect((await verify({ layout: to })).problems).toEqual([]);
  },
);

test.each(['archive', 'layout'])(
  'a platform that an %s does not have is an error that lists what it has',
  async (kind) => {
    const { [kind]: from = expect.fail() } = await sources();
    const to = await Layout.create(`${await temporaryFolder()}/layout`);
    const platform = { os: 'linux', architecture: 's390x' };
    await expect(save({ from, to, platform })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      facts: { candidates: ['linux/amd64', 'linux/arm64'] },
    });
    expect(await to.images()).toEqual([]);
  },
);
