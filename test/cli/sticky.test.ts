import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { SaveReferenceResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeDaemon, json } from '../support/fake-daemon.ts';
import { openFront } from '../support/front.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ID = `sha256:${'c'.repeat(64)}`;
const LAYER = `sha256:${'1'.repeat(64)}`;
const REF = 'app:pipeline-4711-cccccccccccc';
const ENV = gitlabJob('7', 'build');
const INFO = { ID: 'ABCD', Name: 'runner-3', DockerRootDir: '/var/lib/docker', DriverStatus: [] };

let cwd: string;
let fake: FakeDaemon;
beforeEach(async () => {
  cwd = await temporaryFolder();
  fake = await FakeDaemon.start({ images: [{ id: ID, names: ['app:1'], diffIds: [LAYER] }] });
  fake.handlers.set('GET /info', (_, response) => json(response, INFO));
});
const save = async (args: string[], env: Record<string, string> = ENV) =>
  drayage(['save', '--sticky', ...args], { cwd, env });

test('save --sticky saves a reference, writes the reports, and names what it did', async () => {
  const { code, stdout } = await save(['app:1', '--host', fake.host]);
  expect(code).toBe(0);
  expect(stdout).toContain(`app:1: ${ID}, stays in the daemon as ${REF}\n`);
  expect(stdout).toContain('1 reference to docker of runner-3, no layer read');
  expect(await readFile(join(cwd, '.drayage/report.env'), 'utf8')).toContain(`DRAYAGE_APP_REF=${REF}\n`);
  expect(fake.lines.filter((line) => line.startsWith('GET /images/get'))).toEqual([]);
  expect(fake.images[0]?.names).toEqual([
    'app:1',
    expect.stringMatching(/^drayage-lease:pipeline\.4711-cccccccccccc-/),
    REF,
  ]);
  const verified = await drayage(['verify'], { cwd, env: ENV });
  expect(verified.stdout).toContain('app:1 is a reference: its layers stay in docker of runner-3 (ID ABCD');
  const unload = ['unload', '--pipeline', '--host', fake.host];
  expect((await drayage(unload, { cwd, env: ENV })).stdout).toBe(`${REF}: removed\n`);
});

test('it is a variable, too, and one document with --json', async () => {
  const env = { ...ENV, DRAYAGE_STICKY: '1', DRAYAGE_COMPRESS: 'auto', DRAYAGE_BASE_JOB: 'none' };
  const result = await drayageJson<SaveReferenceResult>(['save', 'app:1', '--host', fake.host], { cwd, env });
  const daemon = { id: 'ABCD', name: 'runner-3', root: '/var/lib/docker' };
  expect(result).toMatchObject({ daemon, images: [{ id: ID, daemonId: ID, ref: REF, diffIds: [LAYER] }] });
});

test('the ID of the pipeline is enough to end what it holds', async () => {
  await save(['app:1', '--host', fake.host]);
  const env = { GITLAB_CI: 'true', CI_PIPELINE_ID: '4711' };
  const { stdout } = await drayage(['unload', '--pipeline', '--host', fake.host], { cwd, env });
  expect(stdout).toBe(`${REF}: removed\n`);
});

test('no variable makes unload end what a pipeline holds', async () => {
  await save(['app:1', '--host', fake.host]);
  const env = { ...ENV, DRAYAGE_PIPELINE: '4711' };
  expect((await drayage(['unload', '--host', fake.host], { cwd, env })).code).toBe(0);
  expect(fake.images[0]?.names).toContain(REF);
});

test.each<[string, string[], Record<string, string>, string]>([
  ['outside a job', ['app:1'], {}, 'this is not a GitLab or GitHub Actions job'],
  ['outside a job with --sign', ['app:1', '--sign'], {}, '--sticky leaves images to later jobs'],
  ['out of an archive', ['app:1', '--from', 'app.tar'], ENV, '--from has no meaning with --sticky'],
  ['for one platform', ['app:1', '--platform', 'linux/arm64'], ENV, '--platform has no meaning'],
  ['without an image', [], ENV, 'no image given'],
])('%s it is a mistake', async (_, args, env, message) => {
  const { code, stderr } = await save([...args, '--host', fake.host], env);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
  expect(fake.images[0]?.names).toEqual(['app:1']);
});

test('a daemon at a tcp address goes with the job, unless --shared says otherwise', async () => {
  const front = `tcp://127.0.0.1:${await openFront(fake.host.slice('unix://'.length))}`;
  const { code, stderr } = await save(['app:1', '--host', front]);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('goes with this job') });
  expect(fake.images[0]?.names).toEqual(['app:1']);
  expect((await save(['app:1', '--host', front, '--shared'])).code).toBe(0);
});

test('a daemon that states no ID is refused', async () => {
  fake.handlers.set('GET /info', (_, response) => json(response, { DriverStatus: [] }));
  const { code, stderr } = await save(['app:1', '--host', fake.host]);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('does not state its ID') });
});

test('a daemon that does not say which config an image has is refused', async () => {
  const containerd = await FakeDaemon.start({
    kind: 'containerd',
    images: [{ id: ID, names: ['app:1'], diffIds: [LAYER] }],
  });
  const DriverStatus = [['driver-type', 'io.containerd.snapshotter.v1']];
  containerd.handlers.set('GET /info', (_, response) => json(response, { ...INFO, DriverStatus }));
  const { code, stderr } = await save(['app:1', '--host', containerd.host]);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining(`does not say which config ${ID} has`),
  });
  expect(stderr).toContain('use docker 28 or later');
});

test('doctor tries it without a tag', async () => {
  const { stdout } = await drayage(['doctor', '--sticky', 'app:1', '--host', fake.host], { cwd, env: ENV });
  expect(stdout).toContain('1 image can be saved as a reference to docker of runner-3');
  expect(fake.images[0]?.names).toEqual(['app:1']);
});
