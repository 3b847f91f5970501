import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { drayage } from '../support/cli.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { listFiles } from '../support/list-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test.each<[string[], number]>([
  [['save', '--from', 'a', 'app:1', 'nope:1', '-o', 'out'], 4],
  [['save', '--from', 'a', 'app:1', '-o', 'out', '--env', 'A', '--env', '1B'], 2],
  [['save', '--from', 'a', 'app:1', '-o', 'b/index.json'], 2],
  [['save', '--from', 'a', '-o', 'out', '--sign', '--key', 'nowhere.pem'], 4],
  [['save', '--from', 'a', '-o', 'out', '--base-layout', 'b', '--base-layout', 'nowhere'], 4],
  [['sign', 'a', '--key', 'key.pem', '--expect', 'none', '-i', 'app:1', '-i', 'nope:1'], 4],
  [['load', 'a', '--expect', 'none', '-i', 'app:1', '-i', 'nope:1'], 4],
  [['load', 'a', 'nowhere', '--expect', 'none'], 4],
  [['load', 'a', '--expect', 'none', '--tag', 'ok:1', '--tag', '::'], 2],
  [['load', 'a', '--expect', 'none', '--env', 'A', '--env', '1B', '--dotenv', '.env'], 2],
  [['load', 'a', '--expect', 'none', '-i', 'app:1', '-i', 'nope:1', '--to', 'oci:out'], 4],
  [['load', 'a', '--expect', 'none', '--to', 'oci:b/index.json'], 2],
  [['merge', 'a', 'b', 'nowhere', '--expect', 'none', '-o', 'out'], 4],
  [['fetch', '--complete', 'a', 'nowhere'], 4],
  [['prune', 'a', '-i', 'app:1', '-i', 'nope:1'], 4],
  [['prune', 'a', 'nowhere', '-i', 'app:1'], 4],
  [['inspect', 'a', 'nowhere', '--html', 'page.html'], 4],
  [['promote', 'app:1', 'REGISTRY/app:1', 'REGISTRY/app:bad tag', '--from', 'a', '--expect', 'none'], 2],
  [['promote', 'app:1', 'REGISTRY/app:1', '--from', 'a', '--expect', 'none', '--base', '::'], 2],
  [['untag', 'REGISTRY/app:1', '::'], 2],
])('if its last argument is wrong, %j changes nothing anywhere', async (args, exitCode) => {
  const cwd = await temporaryFolder();
  const [registry, daemon] = [await FakeRegistry.start(), await FakeDaemon.start()];
  for (const [path, name] of [
    ['a', 'app:1'],
    ['b', 'app:2'],
  ] as const) {
    const layout = await Layout.create(join(cwd, path));
    await layout.update((transaction) => addSample(transaction, sampleImage([path]), [name]));
  }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(join(cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const before = await listFiles(cwd);
  const given = args.map((text) => text.replace('REGISTRY', registry.host));
  const { code, stderr } = await drayage(given, { cwd, env: { ...SIGNING_JOB, DOCKER_HOST: daemon.host } });
  expect([code, stderr]).toEqual([exitCode, expect.stringMatching(/^drayage: /)]);
  expect(await listFiles(cwd)).toEqual(before);
  expect(registry.requests()).toEqual([]);
  expect(daemon.lines.filter((request) => !/^(?:GET|HEAD) /.test(request))).toEqual([]);
});
