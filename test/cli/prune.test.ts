import { createReadStream, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { PruneResult, SaveResult, VerifyResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEMO = fixturePath('demo.tar');
const API = 'drayage-demo/api:1.0';
const WORKER = 'drayage-demo/worker:1.0';

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

const blobs = (): string[] => readdirSync(join(cwd, 'layout/blobs/sha256')).toSorted();

async function saveDemo(): Promise<SaveResult> {
  return drayageJson<SaveResult>(['save', '--from', DEMO, '-o', 'layout'], { cwd });
}

test('removes images, frees what only they needed, and tells it', async () => {
  await saveDemo();
  const before = blobs();
  const dry = await drayage(['prune', 'layout', '-i', API, '--dry-run'], { cwd });
  expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining('would be freed')]);
  expect(blobs()).toEqual(before);
  const { layouts } = await drayageJson<{ layouts: PruneResult[] }>(['prune', 'layout', '-i', API], { cwd });
  expect(layouts.map((one) => Object.keys(one))).toEqual([
    ['layout', 'removed', 'referrers', 'freed', 'kept', 'dryRun'],
  ]);
  expect(layouts[0]).toMatchObject({ layout: join(cwd, 'layout'), removed: [{ name: API }] });
  expect(layouts[0]?.freed.blobs).toBe(before.length - blobs().length);
  const quiet = await drayage(['prune', 'layout', '-i', WORKER, '-q'], { cwd });
  expect(quiet.stdout).toBe(`${WORKER}\n`);
  expect(blobs()).toEqual([]);
});

test('by age only what is older goes, and no variable chooses what goes', async () => {
  const { images } = await saveDemo();
  for (const { digest } of images.slice(0, 1))
    utimesSync(join(cwd, 'layout/blobs/sha256', digest.slice(7)), 1000, 1000);
  const env = { DRAYAGE_IMAGE: WORKER, DRAYAGE_OLDER_THAN: '1s' };
  const { stdout } = await drayage(['prune', 'layout', '-q'], { cwd, env });
  expect(stdout).toBe('');
  const aged = await drayage(['prune', 'layout', '--older-than', '24h', '-q'], { cwd, env });
  expect(aged.stdout).toBe(`${API}\n`);
});

test('takes no layout by default', async () => {
  await drayageJson<SaveResult>(['save', '--from', DEMO], { cwd });
  expect((await drayage(['prune'], { cwd })).code).toBe(2);
});

test('beside a save of another process it removes nothing, and the save ends well', async () => {
  await saveDemo();
  await drayage(['prune', 'layout', '-i', API, '-i', WORKER], { cwd });
  await saveDemo();
  // What the next save finds, but nothing names.
  const named = ['layout/index.json', 'layout/manifest.json'].map((path) => join(cwd, path));
  const { rmSync, writeFileSync } = await import('node:fs');
  writeFileSync(named[0] ?? '', '{"schemaVersion":2,"manifests":[]}');
  rmSync(named[1] ?? '');
  const before = blobs();
  let refused: Awaited<ReturnType<typeof drayage>> | undefined;
  async function* slowly(): AsyncGenerator<Uint8Array, void, undefined> {
    let sent = 0;
    for await (const chunk of createReadStream(DEMO, { highWaterMark: 4096 })) {
      yield chunk as Uint8Array;
      sent += 1;
      if (sent !== 3) continue;
      while (!readdirSync(cwd).includes('.layout.drayage')) await new Promise(setImmediate);
      refused = await drayage(['prune', 'layout'], { cwd });
    }
  }
  const saved = await drayage(['save', '--from', '-', '-o', 'layout'], { cwd, input: slowly() });
  expect([refused?.code, refused?.stderr]).toEqual([3, expect.stringContaining('at work')]);
  expect([saved.code, saved.stderr]).toEqual([0, expect.any(String)]);
  expect(blobs()).toEqual(before);
  const { layouts } = await drayageJson<{ layouts: VerifyResult[] }>(['verify', 'layout'], { cwd });
  expect(layouts[0]?.problems).toEqual([]);
});
