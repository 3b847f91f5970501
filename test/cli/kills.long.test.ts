import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import type { SaveResult } from '../../src/index.ts';
import { sampleImage } from '../../src/testing/sample-images.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { makeCargo } from '../docker/cargo.ts';
import { imageFiles, zipped } from '../gitlab/artifacts.ts';
import { ageLeftovers, tempFolderInMemory } from '../layout/folders.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeDaemon, json } from '../support/fake-daemon.ts';
import { FakeGitLab, JOB_TOKEN } from '../support/fake-gitlab.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { fixturePath } from '../support/fixtures.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { killAtRandom } from '../support/kill-at-random.ts';
import { writeCargo } from '../support/write-cargo.ts';
import { zip } from '../support/zip-bytes.ts';

const KILLS = Number(process.env['DRAYAGE_KILLS'] ?? 60);
const API = 'drayage-demo/api:1.0';
const KEPT = { id: `sha256:${'c'.repeat(64)}`, names: ['kept:1'], diffIds: [`sha256:${'1'.repeat(64)}`] };
const INFO = { ID: 'ABCD', Name: 'runner-3', DockerRootDir: '/var/lib/docker', DriverStatus: [] };

/** Layouts open and are intact, whatever happened to the run that wrote them. */
async function assertIntact(path: string, what: string): Promise<void> {
  if (!existsSync(join(path, 'index.json'))) return;
  await using layout = await Layout.open(path);
  expect((await verify({ layout })).problems, what).toEqual([]);
}

/** A tag of a registry is set last: whatever it names is there. */
function assertWhole(registry: FakeRegistry, what: string): void {
  const { blobs, manifests, tags } = registry.store.repository('api');
  for (const digest of tags.values()) {
    const { config, layers } = JSON.parse(String(manifests.get(digest)?.bytes)) as {
      config: { digest: `sha256:${string}` };
      layers: { digest: `sha256:${string}` }[];
    };
    for (const named of [config, ...layers]) expect(blobs.has(named.digest), what).toBe(true);
  }
}

test(
  `${KILLS} kills of what goes to daemons, registries and archives leave nothing half-done`,
  { timeout: 100_000 + KILLS * 4000 },
  async () => {
    const cwd = tempFolderInMemory();
    const image = makeCargo({ layers: ['base', 'app'] });
    const archive = zip(zipped(imageFiles(sampleImage(['base', 'app']), 'app:1', '.drayage/77')));
    const gitlab = await FakeGitLab.start({ jobs: [{ id: 77, name: 'other', archive }], describes: true });
    const registry = await FakeRegistry.start();
    const daemon = await FakeDaemon.start({ images: [structuredClone(KEPT)] });
    daemon.handlers.set('GET /info', (_, response) => json(response, INFO));
    const env = {
      ...gitlabJob('123', 'build'),
      CI_DEFAULT_BRANCH: 'main',
      CI_API_V4_URL: gitlab.url,
      CI_JOB_TOKEN: JOB_TOKEN,
      DOCKER_HOST: daemon.host,
    };
    await writeCargo(join(cwd, 'built'), image, 'app:1');
    const saving = ['save', '--from', fixturePath('demo.tar'), '-o', 'a'];
    const saved = await drayageJson<SaveResult>(saving, { cwd, env });
    const ids = new Set([KEPT.id, ...saved.images.map(({ id }) => id)]);
    const commands = [
      ['load', 'a', '-q'],
      ['promote', API, `${registry.host}/api:1`, '--from', 'a'],
      ['unload'],
      ['save', '--sticky', 'kept:1', '-o', 'sticky'],
      ['load', 'sticky', '-q'],
      ['load', 'a', '--to', 'oci:copied'],
      ['load', 'a', '--to', 'docker-archive:app.tar'],
      ['save', '--from', 'built', '-o', 'based', '--base-job', 'other'],
    ];
    let whole: Buffer | undefined;
    const killed = await killAtRandom(commands, {
      kills: KILLS,
      cwd,
      env,
      prepare: async () => {
        for (const made of ['sticky', 'copied', 'app.tar', 'based'])
          rmSync(join(cwd, made), { recursive: true, force: true });
        for (const held of Object.values(registry.store.repository('api'))) held.clear();
      },
      afterEach: async (args, isDone, what) => {
        for (const layout of ['a', 'sticky', 'copied', 'based']) await assertIntact(join(cwd, layout), what);
        assertWhole(registry, what);
        for (const { id } of daemon.images) expect(ids, what).toContain(id);
        expect(daemon.images[0]?.names, what).toContain('kept:1');
        if (existsSync(join(cwd, 'app.tar'))) {
          const bytes = readFileSync(join(cwd, 'app.tar'));
          whole ??= bytes;
          expect(bytes.equals(whole), what).toBe(true);
        }
        if (isDone && args[0] === 'unload')
          expect(
            daemon.images.flatMap(({ names }) => names).filter((name) => name.includes('lease:123-')),
          ).toEqual([]);
        ageLeftovers(cwd);
      },
    });
    console.log(Object.fromEntries(killed));
    for (const args of [...commands, ['unload', '--pipeline'], ['unload']])
      expect(await drayage(args, { cwd, env })).toMatchObject({ code: 0 });
    expect(daemon.images).toEqual([KEPT]);
    // A killed run may leave the part of an archive that it wrote, beside it.
    const left = readdirSync(cwd).filter((name) => !/^app\.tar\.[0-9a-f-]+\.partial$/.test(name));
    expect(left.toSorted()).toEqual(['.drayage', 'a', 'app.tar', 'based', 'built', 'copied', 'sticky']);
  },
);
