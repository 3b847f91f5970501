import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { loadImages } from '../../src/cli/commands/load.ts';
import { mergeLayouts } from '../../src/cli/commands/merge.ts';
import { saveImages } from '../../src/cli/commands/save.ts';
import { verifyLayouts } from '../../src/cli/commands/verify.ts';
import { readPromotions } from '../../src/cli/promotions.ts';
import type { Ci } from '../../src/index.ts';
import { cis } from '../../src/index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { harbour, harbourTask } from '../ci/made-up.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { contextOf } from './contexts.ts';

// The commands in this process, where the made-up CI has its row.
const rows = cis as Ci[];
const home = process.cwd();
beforeAll(() => void rows.push(harbour));
afterAll(() => {
  rows.pop();
  process.chdir(home);
});

const TASK = harbourTask('build', 2);
const IMAGE = sampleImage(['a']);
const HEX = IMAGE.config.digest.slice(7, 19);

let keys: { private: string; public: string };
beforeEach(async () => {
  process.chdir(await temporaryFolder());
  // Not in the workspace, where an artifact may replace them.
  const folder = await temporaryFolder();
  keys = { private: join(folder, 'key.pem'), public: join(folder, 'key.pub') };
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  await writeFile(keys.private, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(keys.public, publicKey.export({ type: 'spki', format: 'pem' }));
  const layout = await Layout.create('built');
  await layout.update(async (content) => addSample(content, IMAGE, ['app:1']));
});

const save = async (env = TASK) =>
  saveImages([], { from: 'built', sign: true, key: keys.private }, contextOf(env));
const load = async (env: Record<string, string>, ...given: string[]) =>
  loadImages(
    [join('.drayage', '77.build.2')],
    { to: 'oci:out', expect: given, expectSigned: true, key: keys.public },
    contextOf(env),
  );

test('a job of another CI saves and signs into a layout of its own, and reports what it saved', async () => {
  expect((await save()).quiet).toEqual([`app:pipeline-77-${HEX}`]);
  const [image] = await (await Layout.open(join('.drayage', '77.build.2'))).images();
  expect(image?.annotations).toMatchObject({ 'dev.drayage.harbour.job-id': '77.build.2' });
  const report = await readFile(join('.drayage', 'report.env'), 'utf8');
  expect(report).toContain(`DRAYAGE_APP_REF=app:pipeline-77-${HEX}\n`);
  await expect(readFile(join('.drayage', 'annotations.json'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('the next job of the pipeline takes it, and one of another pipeline does not', async () => {
  await save();
  const next = harbourTask('test', 1);
  expect((await load(next)).quiet).toEqual([`app:pipeline-77-${HEX}`]);
  const other = { ...next, HARBOUR_VOYAGE: '78' };
  await expect(load(other)).rejects.toMatchObject({ code: 'POLICY' });
  expect(await load(other, 'pipeline=77')).toBeDefined();
});

test('verify says which pipeline and job it is of', async () => {
  await save();
  const verified = await verifyLayouts([], { key: keys.public }, contextOf(TASK));
  expect(verified.text.join('\n')).toContain(
    'job https://harbour.example/crew/app/tasks/77.build.2, pipeline 77 (claimed)',
  );
  const unchecked = await verifyLayouts([], {}, contextOf(TASK));
  expect(unchecked.text.join('\n')).toContain('app:1: pipeline 77 (claimed)');
});

test('what it merges is of the job that merges', async () => {
  await save();
  await mergeLayouts([], { out: 'merged' }, contextOf(harbourTask('merge', 1)));
  const [image] = await (await Layout.open('merged')).images();
  expect(image?.annotations).toMatchObject({ 'dev.drayage.harbour.job-name': 'merge' });
});

test('its variables stand in references, and its git tag is a version', () => {
  const promotions = readPromotions(
    ['app:1', 'r.example/$HARBOUR_VOYAGE'],
    { semver: true },
    contextOf({ ...TASK, HARBOUR_TAG: 'v1.2.3' }),
  );
  expect(promotions).toEqual([
    { image: 'app:1', to: ['r.example/77:1.2.3', 'r.example/77:1.2', 'r.example/77:1'] },
  ]);
});

test('a job whose variables cannot be read is not taken for one that may sign', async () => {
  await expect(save({ ...TASK, HARBOUR_COMMIT: '' })).rejects.toMatchObject({ code: 'USAGE' });
});
