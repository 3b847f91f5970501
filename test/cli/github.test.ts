import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeSigstore } from '../support/fake-sigstore.ts';
import { githubJob } from '../support/github-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const APP = sampleImage(['base', 'app']);

let cwd: string;
let output: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
  output = join(await temporaryFolder(), 'set_output');
  await writeFile(output, 'earlier=1\n');
  const layout = await Layout.create(join(cwd, 'built'));
  await layout.update((transaction) => addSample(transaction, APP, ['app:1']));
});

const env = (change: Record<string, string> = {}) =>
  githubJob({ GITHUB_OUTPUT: output, GITHUB_WORKSPACE: cwd, ...change });

const save = ['save', '--from', 'built', 'app:1'];

test('a save in a GitHub Actions job states its origin, and adds the references to the outputs of its step', async () => {
  const { layout, images } = await drayageJson<{ layout: string; images: { ref: string }[] }>(save, {
    cwd,
    env: env(),
  });
  expect(layout).toBe(join(cwd, '.drayage', '77.build.2'));
  expect(images.map(({ ref }) => ref)).toEqual([expect.stringMatching(/^app:pipeline-77-[0-9a-f]{12}$/)]);
  const lines = (await readFile(output, 'utf8')).split('\n');
  expect(lines.slice(0, 2)).toEqual(['earlier=1', `DRAYAGE_APP_REF=${images[0]?.ref}`]);
  const [{ annotations }] = await (await Layout.open(layout)).resolve('app:1');
  expect(annotations).toMatchObject({ 'dev.drayage.github.job-id': '77.build.2' });
});

test('every line of the outputs stays, and the last value of a reference is that of the last save', async () => {
  const block =
    'NOTES<<END\nDRAYAGE_APP_REF=an example\nDRAYAGE_OLD_REF=old:1\nEND\nDRAYAGE_APP_REF=app:0\nopen=1';
  await writeFile(output, block);
  const { images } = await drayageJson<{ images: { ref: string }[] }>(save, { cwd, env: env() });
  await drayageJson(save, { cwd, env: env() });
  const text = await readFile(output, 'utf8');
  expect(text.startsWith(`${block}\nDRAYAGE_APP_REF=${images[0]?.ref}\n`)).toBe(true);
  expect(text.lastIndexOf(`DRAYAGE_APP_REF=${images[0]?.ref}\n`)).toBe(text.lastIndexOf('DRAYAGE_APP_REF='));
});

test('a job of another workflow run refuses the image', async () => {
  await drayageJson(save, { cwd, env: env() });
  const load = ['load', '--to', 'docker-archive:app.tar'];
  expect(await drayage(load, { cwd, env: env({ GITHUB_JOB: 'test' }) })).toMatchObject({ code: 0 });
  const { code, stderr } = await drayage(load, { cwd, env: env({ GITHUB_RUN_ID: '78' }) });
  expect(code).toBe(5);
  expect(stderr).toContain('pipeline is 77, not 78');
});

test('a promotion that requires signatures runs for a protected ref only', async () => {
  await drayageJson(save, { cwd, env: env() });
  const promote = ['promote', 'app:1', 'localhost:1/app:1', '--key', 'none.pub', '--expect-signed'];
  const refused = await drayage(promote, { cwd, env: env() });
  expect(refused).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('the ref of this job is not protected') as string,
  });
  const isRead = await drayage(promote, { cwd, env: env({ GITHUB_REF_PROTECTED: 'true' }) });
  expect(isRead.stderr).toContain('none.pub');
});

test.each([
  ['identity', '--issuer', 'https://github.com/group/app/.github/workflows/ci.yml@refs/heads/main'],
  ['issuer', '--identity', 'https://token.actions.githubusercontent.com'],
])('without an %s of the signer, the example is one of GitHub', async (missing, given, example) => {
  const root = join(await temporaryFolder(), 'root.json');
  await writeFile(root, (await FakeSigstore.forTest()).root());
  const verify = ['verify', 'built', '--trusted-root', root, given, 'x'];
  const { code, stderr } = await drayage(verify, { cwd, env: env() });
  expect([code, stderr]).toEqual([2, expect.stringContaining(`--${missing} ${example}`)]);
  expect(stderr).not.toContain('gitlab');
  const outside = await drayage(verify, { cwd });
  expect(outside.stderr).toContain('for GitLab such as');
  expect(outside.stderr).toContain(example);
});

test('a job whose variables are incomplete saves nothing', async () => {
  const { code, stderr } = await drayage(save, { cwd, env: env({ GITHUB_SHA: '' }) });
  expect(code).toBe(2);
  expect(stderr).toContain('GITHUB_SHA is not set');
  expect(await readFile(output, 'utf8')).toBe('earlier=1\n');
});
