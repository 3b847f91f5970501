import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { FetchResult, LoadResult } from '../../src/index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { makeCargo } from '../docker/cargo.ts';
import { imageFiles, layoutFiles, named, noise, zipped } from '../gitlab/artifacts.ts';
import { sampleImage } from '../../src/testing/sample-images.ts';
import { makeCertificate } from '../support/certificate.ts';
import type { CliOptions, CliResult } from '../support/cli.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import type { FakeGitLabOptions } from '../support/fake-gitlab.ts';
import { FakeGitLab, JOB_TOKEN, TOKEN } from '../support/fake-gitlab.ts';
import { startProxy } from '../support/fake-proxy.ts';
import { PIPELINE } from '../support/gitlab-job.ts';
import { listFiles } from '../support/list-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { zip } from '../support/zip-bytes.ts';

const IMAGE = sampleImage(['base', 'app']);
const ARCHIVE = zip(zipped(imageFiles(IMAGE, 'app:1')));

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

async function fakeGitLab(
  options: FakeGitLabOptions = {},
): Promise<{ fake: FakeGitLab; env: Record<string, string> }> {
  const fake = await FakeGitLab.start({ jobs: [{ id: 123, name: 'build', archive: ARCHIVE }], ...options });
  const env = {
    CI_API_V4_URL: fake.url,
    CI_JOB_TOKEN: JOB_TOKEN,
    CI_PROJECT_ID: PIPELINE.CI_PROJECT_ID,
    CI_PROJECT_PATH: PIPELINE.CI_PROJECT_PATH,
    CI_PIPELINE_ID: PIPELINE.CI_PIPELINE_ID,
  };
  return { fake, env };
}

const run = (args: string[], options: Partial<CliOptions>): Promise<CliResult> =>
  drayage(args, { cwd, ...options });

describe('fetch', () => {
  test("brings a job's image into .drayage/<job id>, from where load and inspect take it", async () => {
    const { env } = await fakeGitLab();
    const result = await drayageJson<FetchResult>(['fetch', '--job', 'build'], { cwd, env });
    expect(Object.keys(result)).toEqual(['layout', 'images', 'bytes', 'seconds']);
    expect(result.layout).toBe(join(cwd, '.drayage/123'));
    expect(result.images).toMatchObject([{ name: 'app:1', id: IMAGE.config.digest }]);
    const inspected = await run(['inspect', '-q'], { env });
    expect(inspected.stdout).toBe(`${result.images[0]?.ref}\n`);
  });

  test.each([
    [['--job-id', '123'], '.drayage/123'],
    [['--job', 'build', '--pipeline', '9', '--project', 'other/app'], '.drayage/123'],
    [['--job', 'build', '--ref', 'main'], '.drayage/123'],
    [['--job', 'build', '-o', 'out'], 'out'],
  ])('with %j it brings it into %s', async (args, out) => {
    const { env } = await fakeGitLab();
    const { code, stderr } = await run(['fetch', ...args], { env });
    expect([code, stderr]).toEqual([0, '']);
    expect(await (await Layout.open(join(cwd, out))).images()).toMatchObject([{ names: ['app:1'] }]);
  });

  test('says what to set where the pipeline cannot be looked into, ending with 1', async () => {
    const { fake, env } = await fakeGitLab({ mayList: ['private-token'] });
    const refused = await run(['fetch', '--job', 'build'], { env });
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/--job-id.*DRAYAGE_GITLAB_TOKEN.*needs: \[build\]/) as string,
    ]);
    expect(fake.seen.filter(({ url }) => url.includes('/artifacts/'))).toEqual([]);
    const { code } = await run(['fetch', '--job', 'build'], { env: { ...env, DRAYAGE_GITLAB_TOKEN: TOKEN } });
    expect(code).toBe(0);
  });

  test.each([
    [['--job-id', '99'], 4, 'expire_in'],
    [['--job', 'nope'], 4, 'build'],
    [['--job-id', 'x'], 2, 'CI_JOB_ID'],
    [['--job', 'build', '--project', '13'], 2, '--pipeline'],
    [['--job', 'build', '--job-id', '123'], 2, 'omit one of them'],
    [['--ref', 'main'], 2, '--job'],
    [[], 2, '--job'],
    [['--job', 'build', '--ca', 'missing.pem'], 4, 'missing.pem'],
    [['--job', 'build', '--cache', 'c', '--cache-size', 'much'], 2, '10GB'],
  ])('with %j it ends with %d and a hint, and leaves nothing', async (args, exitCode, hint) => {
    const { env } = await fakeGitLab();
    const { code, stderr } = await run(['fetch', ...args], { env });
    expect([code, stderr]).toEqual([exitCode, expect.stringContaining(hint)]);
    expect((await readdir(cwd)).filter((name) => name !== 'c')).toEqual([]);
  });

  test('outside of GitLab it asks for the address of the API', async () => {
    const { code, stderr } = await run(['fetch', '--job-id', '1'], {});
    expect([code, stderr]).toEqual([2, expect.stringContaining('CI_API_V4_URL')]);
  });

  test('shows no token and no signature', async () => {
    const { fake, env } = await fakeGitLab();
    fake.faults.storage = (_, response) => void response.writeHead(403).end();
    const { code, stdout, stderr } = await run(['fetch', '--job', 'build', '--json', '--debug'], { env });
    expect(code).toBe(1);
    expect(stdout + stderr).not.toMatch(/secret|signature/);
  });
});

test('fetch of what is there asks for the job and its documents, and for no layer', async () => {
  const app = makeCargo({ layers: [noise(300_000), noise(200_000, 2)] });
  const archive = zip(zipped(layoutFiles(named([...app.source.blobs.values()]), { manifests: [app.root] })));
  const { fake, env } = await fakeGitLab({ jobs: [{ id: 123, name: 'build', archive }] });
  await drayageJson<FetchResult>(['fetch', '--job', 'build'], { cwd, env });
  fake.seen.splice(0);
  const again = await drayageJson<FetchResult>(['fetch', '--job', 'build'], { cwd, env });
  expect(again.bytes.fetched).toBe(0);
  expect(again.bytes.reused).toBeGreaterThan(500_000);
  expect(fake.sent).toBeLessThan(64 * 1024);
  // The list of jobs, and the address of the artifact. The rest is parts of it: its directory and documents.
  expect(fake.seen.map(({ server }) => server)).toEqual(['api', 'api', 'storage', 'storage', 'storage']);
});

describe('load --job', () => {
  test('takes the image out of the artifact, and nothing is left in the workspace', async () => {
    const { env } = await fakeGitLab();
    const { code, stderr } = await run(['load', '--job', 'build', '--to', 'oci:out'], { env });
    expect([code, stderr]).toEqual([0, '']);
    expect(await readdir(cwd)).toEqual(['out']);
  });

  test('moves each layer once into a daemon that has nothing, and less than 64 KB for one that has all', async () => {
    const app = makeCargo({ layers: [noise(300_000), noise(200_000, 2)] });
    const blobs = [...app.source.blobs.values()];
    const archive = zip(zipped(layoutFiles(named(blobs), { manifests: [app.root] })));
    const { fake, env } = await fakeGitLab({ jobs: [{ id: 123, name: 'build', archive }] });
    const daemon = await FakeDaemon.start();
    const TMPDIR = await temporaryFolder();
    const load = ['load', '--job', 'build', '--host', daemon.host];
    expect((await run(load, { env: { ...env, TMPDIR } })).code).toBe(0);
    expect(await readdir(TMPDIR)).toEqual([]);
    expect(fake.sent).toBeGreaterThan(500_000);
    expect(fake.sent).toBeLessThan(500_000 + 64 * 1024);
    const before = fake.sent;
    expect(await drayageJson(load, { cwd, env })).toMatchObject({ images: [{ status: 'present' }] });
    expect(fake.sent - before).toBeLessThan(64 * 1024);
  });

  test('moves less than 64 KB beside the one layer that a daemon lacks', async () => {
    const [old, app] = [[300_000, 1] as const, [200_000, 2] as const].map(([length, seed]) =>
      noise(length, seed),
    );
    const cargos = [[old], [old, app]].map((layers) =>
      makeCargo({ layers: layers.filter((one) => one !== undefined) }),
    );
    const jobs = cargos.map(({ root, source }, i) => {
      const files = layoutFiles(named([...source.blobs.values()]), { manifests: [root] });
      return { id: 123 + i, name: `build ${i}`, archive: zip(zipped(files)) };
    });
    const { fake, env } = await fakeGitLab({ jobs });
    const daemon = await FakeDaemon.start();
    const load = async (job: string): Promise<LoadResult> =>
      drayageJson(['load', '--job', job, '--host', daemon.host], { cwd, env });
    await load('build 0');
    const before = fake.sent;
    expect((await load('build 1')).images).toMatchObject([{ layersSent: 1, layersPresent: 1 }]);
    expect(fake.sent - before).toBeGreaterThan(200_000);
    expect(fake.sent - before).toBeLessThan(200_000 + 64 * 1024);
  });

  test('takes from the layouts that are here what they have', async () => {
    const { fake, env } = await fakeGitLab();
    await run(['fetch', '--job', 'build'], { env });
    fake.seen.length = 0;
    await run(['load', '--job', 'build', '--to', 'oci:out'], { env });
    // The directory and index.json say what there is; the blobs are here.
    expect(fake.ranges).toHaveLength(3);
  });

  test.each([
    [[], 'project-12'],
    [['--cache-scope', 'shared'], 'shared'],
  ])('keeps blobs in the cache: %j', async (args, scope) => {
    const { fake, env } = await fakeGitLab();
    await mkdir(join(cwd, 'cache'));
    const load = ['load', '--job', 'build', '--cache', 'cache', ...args, '--to', 'docker-archive:out.tar'];
    expect((await run(load, { env })).code).toBe(0);
    expect((await stat(join(cwd, 'cache', scope))).mode & 0o777).toBe(0o700);
    expect((await listFiles(join(cwd, 'cache', scope, 'blobs'))).length).toBe(IMAGE.blobs.length);
    fake.seen.length = 0;
    expect((await run(load, { env })).code).toBe(0);
    expect(fake.ranges).toHaveLength(3);
  });
});

function fetchJob(env: Record<string, string>, ...args: string[]): Promise<CliResult> {
  return run(['fetch', '--job-id', '123', ...args], { env });
}

/** This machine under an address for which a proxy is asked, as none is for the loopback. */
function proxiable(env: Record<string, string>): Record<string, string> {
  return { ...env, CI_API_V4_URL: String(env['CI_API_V4_URL']).replace('127.0.0.1', '0.0.0.0') };
}

describe('the connection', () => {
  test('goes through the proxy, but not where NO_PROXY says so', async () => {
    const env = proxiable((await fakeGitLab()).env);
    const proxy = await startProxy();
    expect((await fetchJob({ ...env, HTTP_PROXY: proxy.url, NO_PROXY: '0.0.0.0' })).code).toBe(0);
    expect(proxy.seen).toEqual([]);
    expect((await fetchJob({ ...env, HTTP_PROXY: proxy.url })).code).toBe(0);
    expect(proxy.seen[0]).toBe(`GET ${env['CI_API_V4_URL']}/jobs/123/artifacts?direct_download=true`);
  });

  test('trusts the authorities that were named, also through a proxy, and no others', async () => {
    const certificate = await makeCertificate();
    const { env } = await fakeGitLab({ tls: certificate });
    const refused = await fetchJob(env);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('--ca')]);
    expect((await fetchJob(env, '--ca', certificate.path)).code).toBe(0);
    expect((await fetchJob({ ...env, CI_SERVER_TLS_CA_FILE: certificate.path })).code).toBe(0);
    const proxy = await startProxy();
    const proxied = { ...proxiable(env), HTTPS_PROXY: proxy.url, CI_SERVER_TLS_CA_FILE: certificate.path };
    expect((await fetchJob(proxied, '-o', 'out')).code).toBe(0);
    expect(proxy.seen[0]).toMatch(/^CONNECT 0\.0\.0\.0:\d+$/);
  });

  test('also trusts what NODE_EXTRA_CA_CERTS names, beside others', async () => {
    const [own, other] = [await makeCertificate(), await makeCertificate()];
    const { env } = await fakeGitLab({ tls: own });
    const both = { ...env, NODE_EXTRA_CA_CERTS: own.path, CI_SERVER_TLS_CA_FILE: other.path };
    expect((await fetchJob(both)).code).toBe(0);
    expect((await fetchJob({ ...env, NODE_EXTRA_CA_CERTS: own.path }, '-o', 'out')).code).toBe(0);
  });
});
