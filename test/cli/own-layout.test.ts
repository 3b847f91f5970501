import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readOrigin } from '../../src/ci/gitlab/job.ts';
import { originAnnotations } from '../../src/ci/origin.ts';
import { mergeLayouts } from '../../src/cli/commands/merge.ts';
import { saveImages } from '../../src/cli/commands/save.ts';
import { signImages } from '../../src/cli/commands/sign.ts';
import type { Context } from '../../src/cli/context.ts';
import { Layout } from '../../src/layout/layout.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

// The commands in this process, in the working folder of a job.
const ENV = { ...SIGNING_JOB, CI_JOB_TOKEN: 'token-123' };
const OWN = join('.drayage', '123');
const [APP, EVIL] = [sampleImage(['app']), sampleImage(['evil'])];

const home = process.cwd();
let keys: { key: string };
beforeEach(async () => {
  process.chdir(await temporaryFolder());
  keys = { key: 'key.pem' };
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  await writeFile(keys.key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const built = await Layout.create('built');
  await built.update((content) => addSample(content, APP, ['app:1']));
});
afterEach(() => process.chdir(home));

const context: Context = {
  env: ENV,
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  signal: new AbortController().signal,
  onProgress: () => {},
};

/** Puts an image into the job's own folder before the job begins, as an artifact of an earlier job does. */
async function plant(annotations: Record<string, string>): Promise<void> {
  const layout = await Layout.create(OWN);
  await layout.update((content) => addSample(content, EVIL, ['evil:1'], annotations));
}

const signatures = async (): Promise<number[]> => {
  const layout = await Layout.open(OWN);
  return Promise.all([APP, EVIL].map(async ({ root }) => (await layout.referrers(root)).length));
};

describe('sign without a name, of what was in the folder of the job before it began', () => {
  test.each([
    ['nothing', {}],
    ['this job', originAnnotations(readOrigin(ENV))],
    ['this job, with the seal of another secret', originAnnotations(readOrigin(ENV), 'token-122')],
  ])('signs nothing if that states %s', async (_, annotations) => {
    await plant(annotations);
    await saveImages([], { from: 'built' }, context);
    await expect(signImages([], keys, context)).rejects.toMatchObject({
      code: 'POLICY',
      message: 'nothing shows that this job saved evil:1',
      facts: { reason: 'UNSEALED' },
    });
    expect(await signatures()).toEqual([0, 0]);
    await signImages([], { ...keys, image: ['app:1'] }, context);
    expect(await signatures()).toEqual([1, 0]);
  });
});

describe('sign without a name signs what this job', () => {
  test.each([
    ['saved', async () => saveImages([], { from: 'built' }, context)],
    ['merged', async () => mergeLayouts(['built'], { expect: ['none'] }, context)],
    [
      'adopted',
      async () => {
        const layout = await Layout.create(OWN);
        await layout.update((content) => addSample(content, APP, ['app:1']));
        return saveImages(['app:1'], { from: OWN }, context);
      },
    ],
  ])('%s, again after a signature, too', async (_, write) => {
    await write();
    await signImages([], keys, context);
    expect(await signatures()).toEqual([1, 0]);
    await signImages([], keys, context);
    expect((await signatures())[0]).toBeGreaterThan(0);
  });

  test('did not save, if its path is named', async () => {
    await plant({});
    await signImages([OWN], keys, context);
    expect(await signatures()).toEqual([0, 1]);
  });
});
