import { join } from 'node:path';
import { expect, test } from 'vitest';
import { provenanceOfBuild } from '../../src/attest/statement.ts';
import { DrayageError } from '../../src/errors.ts';
import { readBuild } from '../../src/ci/gitlab/build.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { SignOptions, SignResult } from '../../src/verbs/sign.ts';
import { sign } from '../../src/verbs/sign.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const [AMD, ARM] = [sampleImage(['a']), sampleImage(['b'], 'arm64')];
const BUILD = readBuild(SIGNING_JOB);

/** A layout with one name for two platforms. */
async function makeLayout(): Promise<Layout> {
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update(async (content) => {
    for (const [image, architecture] of [
      [AMD, 'amd64'],
      [ARM, 'arm64'],
    ] as const) {
      await addSample(content, image);
      content.add({ ...image.root, platform: { os: 'linux', architecture } }, ['app:1'], {});
    }
  });
  return layout;
}

async function signAll(layout: Layout, options: Partial<SignOptions> = {}): Promise<SignResult> {
  const now = new Date(0);
  return sign({
    layout,
    statement: provenanceOfBuild(BUILD),
    sign: async (statement) => statement,
    now,
    ...options,
  });
}

test('images of several platforms under one name are signed each by itself', async () => {
  const layout = await makeLayout();
  const { images } = await signAll(layout);
  expect(images.map(({ digest }) => digest)).toEqual([AMD.root.digest, ARM.root.digest]);
  for (const { root } of [AMD, ARM]) expect(await layout.referrers(root)).toHaveLength(1);
});

test('where one may not be signed, none is', async () => {
  const layout = await makeLayout();
  const asked: unknown[] = [];
  const refused = signAll(layout, {
    policy: {
      choose: () => {
        throw new DrayageError('POLICY', 'of another job');
      },
      check: () => {},
    },
    sign: async (statement) => (asked.push(statement), statement),
  });
  await expect(refused).rejects.toMatchObject({ code: 'POLICY' });
  expect(asked).toEqual([]);
  expect(await layout.referrers(AMD.root)).toEqual([]);
});
