import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type {
  LoadResult,
  PromoteResult,
  SaveReferenceResult,
  UnloadResult,
  VerifyResult,
} from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { gitlabJob, SIGNING_JOB, TAKING_JOB } from '../support/gitlab-job.ts';
import { CountingProxy } from './support/counting-proxy.ts';
import type { DaemonKind, TestDaemon } from './support/daemons.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import { buildTinyImage } from './support/images.ts';
import type { TestRegistry } from './support/registry.ts';
import { registrySkipReason, startRegistry } from './support/registry.ts';
import { syntheticArchive } from './support/synthetic-archive.ts';

const KINDS: readonly DaemonKind[] = ['docker-20.10', 'docker-28-graph', 'docker-28-containerd'];
const LAYERS = 6;
const MIB = 4;

/** The environment of a job on a runner whose jobs share a daemon. */
function gitlab(job: number): Record<string, string> {
  return { ...gitlabJob(`${job}`, `job-${job}`), CI_JOB_TOKEN: `token-${job}` };
}

/** What a docker command prints. */
async function docker(of: TestDaemon, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await of.docker(args);
  expect(`${code} ${stderr}`).toBe('0 ');
  return stdout.trim();
}

/** A key of its own, as PEM. */
function makeKey(): { secret: string; shown: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    secret: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    shown: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

/** Loads an image of so many layers into a daemon. */
async function fill(of: TestDaemon, name: string, layers: number): Promise<void> {
  const input = Readable.from(syntheticArchive(name, layers, MIB));
  const { code, stderr } = await of.docker(['load'], { input });
  expect(`${code} ${stderr}`).toBe('0 ');
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

describe.each(KINDS)('references to images in %s', (kind) => {
  const skip = skipReason(kind) !== undefined;
  let folder: string;
  let daemon: TestDaemon;
  /** Every name with its image. */
  const names = async (of = daemon): Promise<string[]> => {
    const format = '{{.Repository}}:{{.Tag}} {{.ID}}';
    return (await docker(of, 'images', '--all', '--no-trunc', '--format', format)).split('\n').toSorted();
  };
  const host = (of = daemon): string[] => ['--host', of.host];
  const saved = async (layout: string, ...args: string[]): Promise<SaveReferenceResult> =>
    drayageJson<SaveReferenceResult>(['save', '--sticky', '-o', layout, ...host(), ...args], {
      cwd: folder,
      env: gitlab(1),
    });
  /** A load that has to be refused: its exit code and message, after nothing has changed. */
  const refused = async (layout: string, of = daemon): Promise<{ code: number | null; stderr: string }> => {
    const before = await names(of);
    const { code, stderr } = await drayage(['load', layout, ...host(of)], { cwd: folder, env: gitlab(2) });
    expect(await names(of)).toEqual(before);
    return { code, stderr };
  };

  beforeAll(async () => {
    if (skip) return;
    folder = await mkdtemp(join(tmpdir(), 'drayage-sticky-'));
    daemon = await startDaemon(kind);
    await fill(daemon, 'app:1', LAYERS);
  });
  afterAll(async () => {
    if (skip) return;
    await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test.skipIf(skip)('hold a few KB, and nothing but documents is read for them', async () => {
    await using proxy = await CountingProxy.start(daemon.socket);
    const result = await drayageJson<SaveReferenceResult>(
      ['save', '--sticky', 'app:1', '-o', 'counted', '--host', proxy.host],
      { cwd: folder, env: gitlab(1) },
    );
    expect(await sizeOf(join(folder, 'counted'))).toBeLessThanOrEqual(16 * 1024);
    expect(proxy.bytes).toBeLessThan(128 * 1024);
    expect(result.images[0]?.diffIds).toHaveLength(LAYERS);
    const asked = proxy.lines.splice(0);
    const archives = asked.filter((line) => /^(GET \/images\/get|POST \/images\/load)/.test(line));
    // A containerd store gives its manifest away only in an archive.
    expect(archives).toHaveLength(kind === 'docker-28-containerd' ? 2 : 0);
    expect(asked).toHaveLength(kind === 'docker-28-containerd' ? 11 : 8);
    const load = ['load', 'counted', '--host', proxy.host];
    const { images } = await drayageJson<LoadResult>(load, { cwd: folder, env: gitlab(2) });
    expect(images).toMatchObject([{ status: 'present', bytesSent: 0 }]);
    expect(proxy.lines.filter((line) => /\/images\/(get|load)/.test(line))).toEqual([]);
    expect(proxy.lines).toHaveLength(8);
  });

  test.skipIf(skip)('serve three jobs, and end with the pipeline', async () => {
    const { images } = await saved('build', 'app:1');
    const ref = images[0]?.ref ?? '';
    expect(ref).toMatch(/^app:pipeline-4711-[0-9a-f]{12}$/);
    await docker(daemon, 'rmi', 'app:1');
    for (const job of [2, 3, 4]) {
      const env = gitlab(job);
      const loaded = await drayageJson<LoadResult>(['load', 'build', ...host()], { cwd: folder, env });
      expect(loaded.images).toMatchObject([{ name: 'app:1', ref, status: 'present', bytesSent: 0 }]);
      const given = await drayageJson<UnloadResult>(['unload', ...host()], { cwd: folder, env });
      expect(given).toEqual({ removed: [], kept: [{ ref, reason: 'another job holds it' }] });
    }
    expect((await names()).filter((name) => name.startsWith(ref))).toHaveLength(1);
    const end = ['unload', '--pipeline', ...host()];
    const ended = await drayageJson<UnloadResult>(end, { cwd: folder, env: gitlab(5) });
    expect(ended).toEqual({ removed: [ref], kept: [] });
    const gone = await refused('build');
    expect(gone).toMatchObject({ code: 3, stderr: expect.stringContaining('the image is gone') });
    await fill(daemon, 'app:1', LAYERS);
  });

  test.skipIf(skip)('refuse another image under their name', async () => {
    const { images, daemon: identity } = await saved('replaced', 'app:1');
    const ref = images[0]?.ref ?? '';
    await fill(daemon, 'other:1', LAYERS + 1);
    await docker(daemon, 'tag', 'other:1', ref);
    const moved = await refused('replaced');
    expect(moved).toMatchObject({ code: 3, stderr: expect.stringContaining(`${ref} means sha256:`) });
    const own = (await names()).filter((name) => name.endsWith(images[0]?.daemonId ?? '?'));
    await docker(daemon, 'rmi', ...own.map((name) => name.split(' ')[0] ?? ''));
    await docker(daemon, 'tag', 'other:1', 'app:1');
    const removed = await refused('replaced');
    expect(removed.code).toBe(3);
    expect(removed.stderr).toContain(identity.id);
    await docker(daemon, 'rmi', ref, 'app:1');
    await fill(daemon, 'app:1', LAYERS);
  });

  test.skipIf(skip)('refuse another daemon, although it has the image', async () => {
    const { daemon: own } = await saved('elsewhere', 'app:1');
    const other = await startDaemon(kind);
    try {
      await fill(other, 'app:1', LAYERS);
      const { code, stderr } = await refused('elsewhere', other);
      expect(code).toBe(3);
      expect(stderr).toContain(`docker of ${own.name} (ID ${own.id}, ${own.root})`);
      expect(stderr).toContain(other.dataRoot);
      expect(stderr).toContain('save without --sticky');
    } finally {
      await other.stop();
    }
  });

  describe.skipIf(skip || registrySkipReason() !== undefined)('that are promoted', () => {
    let registry: TestRegistry;
    beforeAll(async () => {
      registry = await startRegistry();
    });
    afterAll(() => registry.stop());

    test.each(kind === 'docker-28-containerd' ? [false, true] : [false])(
      'reach a registry with the layers of the daemon (BuildKit: %s)',
      async (buildkit) => {
        const name = `tiny:${buildkit}`;
        await buildTinyImage(daemon, [name], { buildkit });
        const { images } = await saved(`tiny-${buildkit}`, name);
        const target = `${registry.host}/${name}`;
        const args = ['promote', name, target, '--from', `tiny-${buildkit}`, ...host()];
        const promoted = await drayageJson<PromoteResult>(args, { cwd: folder, env: gitlab(9) });
        expect(promoted.images).toMatchObject([{ name, id: images[0]?.id, tags: [{ ref: target }] }]);
        expect(promoted.images[0]?.digest).not.toBe(images[0]?.digest);
      },
    );

    test('have been signed and verified before that, by one key', async () => {
      const [own, other] = [makeKey(), makeKey()];
      await writeFile(join(folder, 'key.pem'), own.secret);
      await buildTinyImage(daemon, ['signed:1']);
      const run = async <T>(env: Readonly<Record<string, string>>, ...args: string[]): Promise<T> =>
        drayageJson<T>(args, { cwd: folder, env: { ...env, CI_COMMIT_REF_PROTECTED: 'true' } });
      const sign = ['--sign', '--key', 'key.pem', '-o', 'signed', ...host()];
      const { images } = await run<SaveReferenceResult>(SIGNING_JOB, 'save', 'signed:1', '--sticky', ...sign);
      const verifying = ['verify', 'signed', '--key', own.shown];
      const { layouts } = await run<{ layouts: VerifyResult[] }>({}, ...verifying);
      expect(layouts.flatMap(({ references }) => references)).toHaveLength(1);
      const load = (key: string): string[] => ['load', 'signed', '--key', key, ...host()];
      const loaded = await run<LoadResult>(TAKING_JOB, ...load(own.shown));
      expect(loaded.images).toMatchObject([{ id: images[0]?.id, status: 'present', bytesSent: 0 }]);
      const target = `${registry.host}/signed:1`;
      const promoting = ['promote', 'signed:1', target, '--from', 'signed', ...host()];
      const promote = (key: string): string[] => [...promoting, '--key', key];
      const promoted = await run<PromoteResult>(TAKING_JOB, ...promote(own.shown));
      expect(promoted.images).toMatchObject([{ id: images[0]?.id, tags: [{ ref: target }] }]);
      for (const args of [load(other.shown), promote(other.shown)]) {
        const env = { ...TAKING_JOB, CI_COMMIT_REF_PROTECTED: 'true' };
        expect((await drayage(args, { cwd: folder, env })).code).toBe(5);
      }
    });
  });
});

test.skipIf(skipReason('podman') !== undefined)('podman, whose ID changes, is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'drayage-sticky-'));
  const daemon = await startDaemon('podman');
  try {
    const args = ['save', '--sticky', 'app:1', '--host', daemon.host];
    const { code, stderr } = await drayage(args, { cwd: folder, env: gitlab(1) });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('has another ID in each answer'),
    });
  } finally {
    await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
