import { readFileSync, symlinkSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { InspectResult, SaveResult } from '../../src/index.ts';
import { sampleImage } from '../../src/testing/sample-images.ts';
import { buildkitEntry, entryOf, writeBuilderLayout } from '../support/builder-layout.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const [APP, OLD] = [sampleImage(['base', 'app']), sampleImage(['base', 'old'])];
const BUILD = gitlabJob('123', 'build');
const TEST = gitlabJob('124', 'test');
const OWN = '.drayage/123';

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
  await mkdir(join(cwd, '.drayage'));
  const entries = [buildkitEntry(OLD, 'old', '1'), entryOf(APP, 'latest')];
  await writeBuilderLayout(join(cwd, OWN), { content: [APP, OLD], entries, isMarked: false });
  const metadata = { 'containerimage.digest': APP.root.digest, 'image.name': 'docker.io/library/app:1' };
  await writeFile(join(cwd, 'build.json'), JSON.stringify(metadata));
});

const run = async (env: Record<string, string>, ...args: string[]): Promise<CliResult> =>
  drayage(args, { cwd, env });

describe('save --from the layout of this job', () => {
  test('adopts what a build wrote there: reported, and accepted by the next job', async () => {
    const { code, stderr } = await run(BUILD, 'save', '--from', OWN, '--metadata-file', 'build.json');
    expect([code, stderr]).toEqual([0, expect.stringContaining('old:1: not adopted')]);
    expect(readFileSync(join(cwd, '.drayage/report.env'), 'utf8')).toMatch(
      /^DRAYAGE_APP_REF=app:pipeline-4711-/,
    );
    const taken = await run(TEST, 'load', '--to', 'oci:taken', '-q');
    expect([taken.code, taken.stdout]).toEqual([0, expect.stringMatching(/^app:pipeline-4711-\w+\n$/)]);
    expect(await run(TEST, 'load', '-i', 'old:1', '--to', 'oci:old')).toMatchObject({ code: 5 });
  });

  test.each([
    ['oci:.drayage/123:latest', []],
    ['./.drayage/../.drayage/123/', [APP.config.digest]],
  ])('goes by the folder, not by its spelling: %s', async (from, names) => {
    const { images } = await drayageJson<SaveResult>(['save', '--from', from, ...names], { cwd, env: BUILD });
    expect(images).toMatchObject([{ digest: APP.root.digest }]);
  });

  test('names nothing: it ends with 2, lists what is there and how to name it', async () => {
    const { code, stderr } = await run(BUILD, 'save', '--from', OWN);
    expect(code).toBe(2);
    expect(stderr).toMatch(/there is old:1, .*name them: drayage save IMAGE/s);
  });

  test('is refused through a link', async () => {
    symlinkSync(join(cwd, OWN), join(cwd, 'link'));
    expect(await run(BUILD, 'save', '--from', 'link', '-o', 'link', 'old:1')).toMatchObject({ code: 4 });
    expect(await run(BUILD, 'save', '--from', OWN, '-o', 'link', 'old:1')).toMatchObject({ code: 4 });
  });
});

test('--metadata-file names the images of another layout, too, and only those', async () => {
  await run(BUILD, 'save', '--from', OWN, '--metadata-file', 'build.json');
  const args = ['save', '--from', OWN, '--metadata-file', 'build.json', '-o', 'copy'];
  await drayageJson<SaveResult>(args, { cwd });
  const { images } = await drayageJson<InspectResult>(['inspect', 'copy'], { cwd });
  expect(images.map(({ names }) => names)).toEqual([['app:1']]);
  const tar = ['save', '--from', 'app.tar', '--metadata-file', 'build.json', '-o', 'unpacked'];
  expect(await run({}, 'load', 'copy', '--to', 'oci-archive:app.tar')).toMatchObject({ code: 0 });
  const { images: unpacked } = await drayageJson<SaveResult>(tar, { cwd });
  expect(unpacked).toMatchObject([{ name: 'app:1', digest: APP.root.digest }]);
});
