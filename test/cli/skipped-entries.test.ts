import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { drayage } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const APP = sampleImage(['base', 'app']);
const OTHER = sampleImage(['base', 'other']);
const NAME = { annotations: { 'org.opencontainers.image.ref.name': 'app:1' } };
const NO_MEDIA_TYPE = { ...OTHER.root, mediaType: undefined };
const FILE = { ...APP.config, mediaType: 'text/plain' };
const UNREAD = `drayage: (no name) ${OTHER.root.digest} is skipped: it has no media type\n`;
const NO_IMAGE = `drayage: (no name) ${FILE.digest} is skipped: it is not an image but text/plain\n`;

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
  const layout = await Layout.create(join(cwd, 'images'));
  await layout.update(async (transaction) => {
    for (const image of [APP, OTHER]) await addSample(transaction, image);
  });
  const manifests = [{ ...APP.root, ...NAME }, FILE, NO_MEDIA_TYPE];
  writeFileSync(join(layout.path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  await rm(join(layout.path, 'manifest.json'));
});

describe('an entry that nobody can read gets a line by', () => {
  test.each([
    [['inspect', 'images']],
    [['diff', 'images', 'images']],
    [['save', '--from', 'images', '-o', 'saved']],
    [['merge', 'images', '-o', 'merged']],
    [['load', 'images', '--to', 'oci:loaded']],
  ])('%j, which also says what it takes for no image', async (args) => {
    const { code, stderr } = await drayage(args, { cwd });
    expect([code, stderr]).toEqual([0, expect.stringContaining(UNREAD)]);
    expect(stderr).toContain(NO_IMAGE);
  });

  test('verify, which skips nothing else', async () => {
    const { code, stderr, stdout } = await drayage(['verify', 'images'], { cwd });
    expect([code, stderr]).toEqual([0, UNREAD]);
    expect(stdout).toContain('images: 2 entries, ');
  });
});

test('verify calls an unread entry that names content a problem, and does not say that it is skipped', async () => {
  const path = join(cwd, 'damaged');
  await drayage(['save', '--from', 'images', '-o', path], { cwd });
  const manifests = [{ ...APP.root, ...NAME, urls: 1 }];
  writeFileSync(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  const { code, stderr, stdout } = await drayage(['verify', path], { cwd });
  expect([code, stderr]).toEqual([4, '']);
  expect(stdout).toContain('app:1 cannot be read');
});
