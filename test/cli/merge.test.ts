import { randomBytes } from 'node:crypto';
import { existsSync, watch } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import type { MergeResult } from '../../src/index.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { snapshot } from '../layout/folders.ts';
import { addSample, imageOf, sampleImage } from '../../src/testing/sample-images.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { listFiles } from '../support/list-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const AMD = sampleImage(['base', 'app'], 'amd64');
const ARM = sampleImage(['base', 'arm'], 'arm64');
const GITLAB = gitlabJob('123', 'merge');

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

/** A layout of a job with one image, as `save` leaves it. */
async function shipped(path: string, image: SampleImage, pipeline = '4711'): Promise<void> {
  const layout = await Layout.create(join(cwd, path));
  await layout.update((transaction) =>
    addSample(transaction, image, ['app:1'], {
      'org.opencontainers.image.revision': GITLAB.CI_COMMIT_SHA,
      'dev.drayage.gitlab.server': GITLAB.CI_SERVER_URL,
      'dev.drayage.gitlab.project-path': GITLAB.CI_PROJECT_PATH,
      'dev.drayage.gitlab.pipeline-id': pipeline,
      'dev.drayage.gitlab.job-id': basename(path),
      'dev.drayage.gitlab.job-name': `build ${basename(path)}`,
    }),
  );
}

test('merges layouts that are named; -q tells references, --json one document', async () => {
  await shipped('amd', AMD);
  await shipped('arm', ARM);
  const result = await drayageJson<MergeResult>(['merge', 'amd', 'arm', '-o', 'all'], { cwd });
  expect(Object.keys(result)).toEqual(['layout', 'images', 'bytes', 'seconds']);
  expect(result.images.map((image) => Object.keys(image))).toEqual([
    ['name', 'ref', 'id', 'digest', 'platforms'],
  ]);
  expect(result.layout).toBe(join(cwd, 'all'));
  const { stdout } = await drayage(['merge', 'amd', 'arm', '-o', 'all', '-q'], { cwd });
  expect(stdout).toBe(`${result.images[0]?.ref}\n`);
});

test('in a GitLab job it merges what the other jobs of this pipeline shipped, and reports it', async () => {
  await shipped('.drayage/121', AMD);
  await shipped('.drayage/122', ARM);
  await shipped('.drayage/99', sampleImage(['old'], 'amd64'), '4710');
  for (const run of ['first', 'again']) {
    const { code, stdout, stderr } = await drayage(['merge'], { cwd, env: GITLAB });
    expect([run, code, stderr]).toEqual([run, 0, expect.stringContaining('pipeline is 4710, not 4711')]);
    expect(stdout).toMatch(/^app:1: sha256:[0-9a-f]{64}, linux\/amd64, linux\/arm64\n.*1 image of 3 layouts/);
  }
  const [image] = await (await Layout.open(join(cwd, '.drayage/123'))).images();
  expect(image?.annotations).toMatchObject({
    'dev.drayage.gitlab.job-id': '123',
    'dev.drayage.gitlab.pipeline-id': '4711',
  });
  const report = (await listFiles(cwd)).find(({ path }) => path === '.drayage/report.env');
  expect(report).toBeDefined();
});

test('the layout to merge into is none of those to merge: where it is alone, there is nothing to merge', async () => {
  await shipped('.drayage/123', AMD);
  const before = snapshot(join(cwd, '.drayage'));
  const inJob = await drayage(['merge'], { cwd, env: GITLAB });
  expect([inJob.code, inJob.stderr]).toEqual([4, expect.stringContaining('except .drayage/123: ')]);
  expect(inJob.stderr).toContain('shipped no image');
  const { code, stderr } = await drayage(['merge', '-o', '.drayage/123'], { cwd });
  expect([code, stderr]).toEqual([4, expect.stringContaining('no layout below .drayage, except')]);
  expect(snapshot(join(cwd, '.drayage'))).toEqual(before);
});

test('one name for two images of one platform is exit 2 with both and a way out', async () => {
  await shipped('a', AMD);
  await shipped('b', sampleImage(['other'], 'amd64'));
  const { code, stderr } = await drayage(['merge', 'a', 'b', '-o', 'all'], { cwd });
  expect(code).toBe(2);
  expect(stderr).toContain('app:1 means two images for linux/amd64: sha256:');
  expect(stderr).toContain('--image');
  const chosen = await drayage(['merge', 'a', 'b', '-o', 'all', '--image', AMD.root.digest], { cwd });
  expect(chosen.code).toBe(0);
});

test('killed midway it leaves nothing half-written, and the next run is whole', async () => {
  const content = randomBytes(48_000_000);
  const large = imageOf([[digestOf(content), gzipSync(content, { level: 0 })]]);
  await shipped('amd', large);
  await shipped('arm', ARM);
  const killed = await drayage(['merge', 'amd', 'arm', '-o', 'all'], {
    cwd,
    onStart: (child) => {
      const watcher = watch(cwd, () => {
        if (!existsSync(join(cwd, '.all.drayage'))) return;
        watcher.close();
        child.kill('SIGKILL');
      });
    },
  });
  expect(killed.code).toBeNull();
  expect(existsSync(join(cwd, 'all'))).toBe(false);
  const again = await drayage(['merge', 'amd', 'arm', '-o', 'all'], { cwd });
  expect([again.code, again.stderr]).toEqual([0, expect.any(String)]);
  expect((await drayage(['verify', 'all'], { cwd })).code).toBe(0);
});

test('outside of a job it has to be told where to', async () => {
  await shipped('.drayage/a', AMD);
  const { code, stderr } = await drayage(['merge'], { cwd });
  expect([code, stderr]).toEqual([2, expect.stringContaining('-o')]);
});
