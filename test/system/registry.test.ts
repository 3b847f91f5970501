import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { PromoteResult, SaveResult, UntagResult } from '../../src/index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { BASE_NAME } from '../../src/oci/annotations.ts';
import { OMITTED_LAYERS } from '../../src/image/annotations.ts';
import { promote } from '../../src/verbs/promote/promote.ts';
import { Registries } from '../../src/registry/registries.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { noise } from '../gitlab/artifacts.ts';
import { addSample, sampleImage, sampleReferrer } from '../../src/testing/sample-images.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { freePort } from '../support/front.ts';
import { MemoryContent } from '../support/memory-content.ts';
import type { DaemonKind } from './support/daemons.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import type { RegistryAuth, TestRegistry } from './support/registry.ts';
import { REGISTRY_PASSWORD, REGISTRY_USER, registrySkipReason, startRegistry } from './support/registry.ts';
import { run } from './support/run-command.ts';

const SKIP = registrySkipReason() !== undefined || skipReason('docker-20.10') !== undefined;
const API = 'drayage-demo/api:1.0';
const AUTH = Buffer.from(`${REGISTRY_USER}:${REGISTRY_PASSWORD}`).toString('base64');
const { PATH = '' } = process.env;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drayage-registry-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Saves an archive into a layout of this name. */
async function save(archive: string, out: string): Promise<SaveResult> {
  const args = ['save', '--from', fixturePath(archive), '-o', out, '--compress', 'gzip'];
  return drayageJson<SaveResult>(args, { cwd: folder });
}

/** What skopeo says of an image in a registry. */
async function skopeo(reference: string, ...args: string[]): Promise<Record<string, unknown>> {
  const all = ['inspect', '--tls-verify=false', '--creds', `${REGISTRY_USER}:${REGISTRY_PASSWORD}`, ...args];
  const { code, stdout, stderr } = await run('skopeo', [...all, `docker://${reference}`], {
    env: { PATH, HOME: folder },
  });
  expect(`${code} ${stderr}`).toBe('0 ');
  return JSON.parse(stdout) as Record<string, unknown>;
}

const isUpload = (line: string): boolean => /^(?:POST|PUT|PATCH) .*\/blobs\/uploads\//.test(line);

describe.skipIf(SKIP).each<RegistryAuth>(['anonymous', 'htpasswd', 'token'])(
  'docker-registry, %s',
  (auth) => {
    let registry: TestRegistry;
    let saved: SaveResult['images'][number];
    let env: Record<string, string>;
    const promoteTo = async (...args: string[]): Promise<PromoteResult> =>
      drayageJson(['promote', API, ...args, '--from', 'layout'], { cwd: folder, env });

    beforeAll(async () => {
      registry = await startRegistry(auth);
      const { images } = await save('demo.tar', 'layout');
      const [image] = images.filter(({ name }) => name === API);
      if (image === undefined) throw new Error(`no ${API} in the fixture`);
      saved = image;
      const config = join(folder, auth);
      await mkdir(config);
      await writeFile(
        join(config, 'config.json'),
        JSON.stringify({ auths: { [registry.host]: { auth: AUTH } } }),
      );
      // The token server listens on another port, as that of a GitLab on one host does.
      env = auth === 'anonymous' ? {} : { DOCKER_CONFIG: config, CI_SERVER_HOST: '127.0.0.1' };
    });
    afterAll(() => registry.stop());

    test('gets an image under the digest of the layout, with all tags', async () => {
      const refs = ['1', '1.0'].map((tag) => `${registry.host}/group/api:${tag}`);
      const { images } = await promoteTo(...refs);
      expect(images[0]?.digest).toBe(saved.digest);
      for (const ref of refs) {
        const { Digest, Layers } = await skopeo(ref);
        expect(Digest).toBe(saved.digest);
        expect(Layers).toEqual(saved.layers.map(({ digest }) => digest));
      }
    });

    test('gets no blob a second time', async () => {
      const ref = `${registry.host}/group/api:1`;
      await promoteTo(ref);
      const before = registry.requests().filter(isUpload).length;
      const { bytes } = await promoteTo(ref, `${registry.host}/group/api:again`);
      expect(registry.requests().filter(isUpload)).toHaveLength(before);
      expect(bytes).toMatchObject({ sent: 0, mounted: 0 });
    });

    test('takes over blobs from another repository of its own', async () => {
      await promoteTo(`${registry.host}/group/api:1`);
      const before = registry.requests().length;
      const ref = `${registry.host}/released/api-${auth}:1`;
      const { bytes } = await promoteTo(ref, '--mount-from', `${registry.host}/group/api`);
      expect(bytes).toMatchObject({ sent: 0, present: 0, mounted: bytes.total });
      const uploads = registry.requests().slice(before).filter(isUpload);
      expect(uploads.every((line) => line.startsWith('POST'))).toBe(true);
      expect((await skopeo(ref))['Digest']).toBe(saved.digest);
    });

    test('loses a tag, and only that', async () => {
      await promoteTo(`${registry.host}/group/api:1`, `${registry.host}/group/api:pr-1`);
      const args = ['untag', `${registry.host}/group/api:pr-1`];
      const { tags } = await drayageJson<UntagResult>(args, { cwd: folder, env });
      expect(tags[0]?.status).toBe('removed');
      const { RepoTags } = await skopeo(`${registry.host}/group/api:1`);
      expect(RepoTags).toContain('1');
      expect(RepoTags).not.toContain('pr-1');
    });

    test('is told nothing wrong twice', async () => {
      const wrong = Buffer.from(`${REGISTRY_USER}:planted-wrong`).toString('base64');
      const config = JSON.stringify({ auths: { [registry.host]: { auth: wrong } } });
      const args = ['promote', API, `${registry.host}/denied:1`, '--from', 'layout', '--debug'];
      const { code, stdout, stderr } = await drayage(args, {
        cwd: folder,
        env: { ...env, DOCKER_CONFIG: folder, DOCKER_AUTH_CONFIG: config },
      });
      expect(code).toBe(auth === 'anonymous' ? 0 : 1);
      if (auth !== 'anonymous') expect(stderr).toContain('does not accept the credentials');
      expect(stdout + stderr).not.toContain('planted');
      expect(stdout + stderr).not.toContain(wrong);
    });
  },
);

describe.skipIf(SKIP)('docker-registry', () => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.stop());

  test('gets all platforms of an image', async () => {
    const { images } = await save('docker-28-containerd-platforms.tar', 'platforms');
    const ref = `${registry.host}/platforms:1`;
    const args = ['promote', '--from', 'platforms', images[0]?.digest ?? '', ref];
    await drayageJson<PromoteResult>(args, { cwd: folder });
    const index = (await skopeo(ref, '--raw')) as { manifests: { platform: { os: string } }[] };
    expect(index.manifests.filter(({ platform }) => platform.os === 'linux')).toHaveLength(2);
    expect((await skopeo(ref))['Digest']).toBe(images[0]?.digest);
  });

  test('keeps what refers to an image under the tag in place of the API', async () => {
    const image = sampleImage(['base', 'app']);
    const layout = await Layout.create(join(folder, 'signed'));
    await layout.update(async (transaction) => {
      await addSample(transaction, image, ['app:1']);
      await addSample(transaction, sampleReferrer(image.root));
    });
    await using registries = new Registries();
    const to = [`${registry.host}/signed:1`];
    for (let i = 0; i < 2; i++) await promote({ from: [layout], promotions: [{ to }], registries });
    const tag = image.root.digest.replace(':', '-');
    const index = await skopeo(`${registry.host}/signed:${tag}`, '--raw');
    expect(index['manifests']).toMatchObject([{ digest: sampleReferrer(image.root).root.digest }]);
    const repository = await registries.repository(`${registry.host}/signed`);
    expect(await repository.referrers(image.root)).toHaveLength(1);
  });

  test('gets the layers that a layout leaves out from the base beside it, or from another registry', async () => {
    const [base, app] = [sampleImage(['thin base']), sampleImage(['thin base', 'app'])];
    const [baseLayer = base.config] = base.layers;
    const [whole, thin] = [
      await Layout.create(join(folder, 'base')),
      await Layout.create(join(folder, 'thin')),
    ];
    await whole.update((transaction) => addSample(transaction, base, ['base:1']));
    const told = { [OMITTED_LAYERS]: '1', [BASE_NAME]: `${registry.host}/base:1` };
    await thin.update((transaction) => addSample(transaction, app, ['app:1'], told, [baseLayer]));
    const other = await startRegistry();
    onTestFinished(() => other.stop());
    await using registries = new Registries();
    const promoteOne = async (from: Layout, to: string): Promise<PromoteResult> =>
      promote({ from: [from], promotions: [{ to: [to] }], registries });
    await promoteOne(whole, `${registry.host}/base:1`);
    const beside = await promoteOne(thin, `${registry.host}/thin:1`);
    expect(beside.bytes.mounted).toBe(baseLayer.size);
    const elsewhere = await promoteOne(thin, `${other.host}/thin:1`);
    expect(elsewhere.bytes).toMatchObject({ mounted: 0, sent: elsewhere.bytes.total });
    for (const { host } of [registry, other]) {
      expect((await skopeo(`${host}/thin:1`, '--raw'))['layers']).toHaveLength(2);
      const repository = await registries.repository(`${host}/thin`);
      expect(await repository.has(baseLayer)).toBe(true);
    }
  });

  test('gets a blob whose upload breaks off', async () => {
    const bytes = noise(3_000_000);
    const blob = describeBytes(bytes);
    const port = await cuttingRelay(registry.host, 1_000_000);
    await using registries = new Registries(async () => ({ retry: { pause: 10 } }));
    const repository = await registries.repository(`127.0.0.1:${port}/cut`);
    expect(await repository.upload(blob, new MemoryContent([bytes]))).toBe('sent');
    expect(await repository.has(blob)).toBe(true);
  });
});

describe.skipIf(SKIP).each<[DaemonKind, 'gzip' | 'zstd']>([
  ['docker-20.10', 'gzip'],
  ['docker-28-graph', 'zstd'],
  ['docker-28-containerd', 'zstd'],
])('%s', (kind, codec) => {
  test.skipIf(skipReason(kind) !== undefined)(
    `pulls what was promoted (${codec}) by its digest`,
    async () => {
      const registry = await startRegistry();
      onTestFinished(() => registry.stop());
      const daemon = await startDaemon(kind, { listen: ['-H', `tcp://127.0.0.1:${await freePort()}`] });
      onTestFinished(() => daemon.stop());
      const layout = join(folder, `${kind}-${codec}`);
      if (codec === 'gzip') await save('docker-20.10.tar', layout);
      else {
        await mkdir(layout);
        spawnSync('tar', ['-xf', fixturePath('skopeo-oci-zstd.layout.tar'), '-C', layout]);
      }
      const ref = `${registry.host}/${kind}:1`;
      const [name] = await (await Layout.open(layout)).images();
      const { images } = await drayageJson<PromoteResult>(
        ['promote', '--from', layout, name?.root.digest ?? '', ref],
        { cwd: folder },
      );
      const [promoted] = images;
      const pulled = await daemon.docker(['pull', ref]);
      expect(`${pulled.code} ${pulled.stderr}`).toBe('0 ');
      expect(pulled.stdout).toContain(`Digest: ${promoted?.digest}`);
      const byDigest = await daemon.docker(['pull', promoted?.tags[0]?.digestRef ?? '']);
      expect(byDigest.code).toBe(0);
      const { stdout } = await daemon.docker(['image', 'inspect', '--format', '{{json .RepoDigests}}', ref]);
      expect(JSON.parse(stdout)).toContain(promoted?.tags[0]?.digestRef);
    },
  );
});

/** A relay on the loopback that breaks the first connection over which so many bytes have gone out. */
async function cuttingRelay(host: string, after: number): Promise<number> {
  let isCut = false;
  const server = createServer((socket) => {
    const inner = connect(Number(host.split(':')[1]), '127.0.0.1');
    let sent = 0;
    socket.on('data', (chunk: Buffer) => {
      sent += chunk.length;
      if (isCut || sent < after) return;
      isCut = true;
      socket.destroy();
      inner.destroy();
    });
    for (const one of [socket, inner]) one.on('error', () => undefined);
    socket.pipe(inner).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}
