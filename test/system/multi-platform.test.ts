import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoadResult, SaveResult, VerifyResult } from '../../src/index.ts';
import { connectDocker } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import type { TestDaemon } from './support/daemons.ts';
import { buildTinyImage } from './support/images.ts';
import { run } from './support/run-command.ts';

const KIND = 'docker-28-containerd';
const NAME = 'example/multi:1';
const { PATH = '' } = process.env;

interface ToolResult {
  code: number;
  output: string;
}

/** Runs a tool of another project. */
async function tool(command: string, ...args: string[]): Promise<ToolResult> {
  const { code, stdout, stderr } = await run(command, args, { env: { PATH, HOME: '/nonexistent' } });
  return { code, output: stdout + stderr };
}

describe.skipIf(skipReason(KIND) !== undefined)('what a containerd store has under an index', () => {
  let folder: string;
  let daemon: TestDaemon;
  const at = (...names: string[]): string => join(folder, ...names);
  const save = async (image: string, out: string, ...args: string[]): Promise<SaveResult> =>
    drayageJson<SaveResult>(['save', image, '-o', out, '--host', daemon.host, ...args], { cwd: folder });
  const ctr = async (...args: string[]): Promise<ToolResult> =>
    tool('ctr', '--address', daemon.containerd, '--namespace', 'peers', 'images', ...args);
  /** As kind does with an archive that is to go into the nodes of a cluster. */
  const importInto = async (archive: string): Promise<ToolResult> =>
    ctr('import', '--all-platforms', '--no-unpack', at(archive));
  const copyAll = async (from: string, to: string): Promise<ToolResult> =>
    tool('skopeo', '--insecure-policy', 'copy', '--all', from, `oci:${at(to)}:x`);
  const listing = async (): Promise<string> =>
    (await daemon.docker(['image', 'ls', '-a', '--no-trunc', '--format', '{{.ID}} {{.Tag}}'])).stdout;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drayage-multi-'));
    daemon = await startDaemon(KIND);
  });
  afterAll(async () => {
    await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  });

  describe('and of which only one platform is there', () => {
    beforeAll(async () => {
      const archive = fixturePath('docker-28-containerd-sparse.tar');
      expect(await daemon.docker(['load', '-i', archive])).toMatchObject({ code: 0 });
      await save(NAME, 'sparse');
      expect(await daemon.docker(['save', NAME, '-o', at('plain.tar')])).toMatchObject({ code: 0 });
    });

    test('is the same when it is saved again, and the daemon holds what it held', async () => {
      const before = await listing();
      const first = await save(NAME, 'again');
      const second = await save(NAME, 'again');
      expect(second.images[0]?.digest).toBe(first.images[0]?.digest);
      expect(second.bytes.written).toBe(0);
      expect(await listing()).toBe(before);
    });

    test('is copied whole by skopeo, which docker save does not make possible', async () => {
      expect(await copyAll(`oci-archive:${at('plain.tar')}`, 'not')).toMatchObject({
        code: 1,
        output: expect.stringContaining('no such file or directory'),
      });
      expect(await copyAll(`oci:${at('sparse')}:${NAME}`, 'copy')).toMatchObject({ code: 0 });
    });

    test('is imported whole by containerd, which docker save does not make possible', async () => {
      expect(await importInto('plain.tar')).toMatchObject({
        code: 1,
        output: expect.stringMatching(/content digest sha256:\w+: not found/),
      });
      await tool('tar', '-C', at('sparse'), '-cf', at('ours.tar'), '.');
      expect(await importInto('ours.tar')).toMatchObject({ code: 0 });
      const { output } = await ctr('check');
      expect(output).toMatch(/^docker\.io\/example\/multi:1 .* complete \(2\/2\) /m);
    });

    test('is unpacked by umoci once the platform is chosen', async () => {
      const { images } = await save(NAME, 'one', '--platform', 'linux/amd64');
      expect(images[0]?.platform).toBe('linux/amd64');
      const unpacked = await tool('umoci', 'unpack', '--image', `${at('one')}:${NAME}`, at('bundle'));
      expect(unpacked).toMatchObject({ code: 0 });
      expect((await readdir(at('bundle', 'rootfs'))).length).toBeGreaterThan(0);
    });

    test('is refused for the platform that is not there', async () => {
      const args = ['save', NAME, '-o', 'none', '--platform', 'linux/arm64', '--host', daemon.host];
      const { code, stderr } = await drayage(args, { cwd: folder });
      expect(stderr).toContain('linux/amd64');
      expect(code).toBe(4);
      expect(await readdir(folder)).not.toContain('none');
    });
  });

  test('as BuildKit attests it goes into another daemon and out again, byte for byte', async () => {
    const id = await buildTinyImage(daemon, ['attested:1'], { buildkit: true });
    const saved = await save('attested:1', 'attested');
    expect(saved.images[0]?.digest).toBe(id);
    const blobs = await readdir(at('attested', 'blobs/sha256'));
    const index = await readFile(at('attested', 'blobs', id.replace(':', '/')), 'utf8');
    expect(index).toContain('"vnd.docker.reference.type": "attestation-manifest"');
    const other = await startDaemon(KIND);
    const connected = await connectDocker({ host: other.host });
    try {
      const args = ['load', 'attested', '--host', other.host];
      const { images } = await drayageJson<LoadResult>(args, { cwd: folder });
      expect(images).toMatchObject([{ digest: id, daemonId: id, status: 'loaded' }]);
      const { manifests } = await connected.inspect('attested:1', { platforms: true });
      expect(manifests?.map(({ available }) => available)).toEqual([true, true]);
      await drayageJson(['save', 'attested:1', '-o', 'back', '--host', other.host], { cwd: folder });
      expect((await readdir(at('back', 'blobs/sha256'))).toSorted()).toEqual(blobs.toSorted());
      const { layouts } = await drayageJson<{ layouts: VerifyResult[] }>(['verify', 'back'], { cwd: folder });
      expect(layouts.flatMap(({ problems }) => problems)).toEqual([]);
    } finally {
      await connected.close();
      await other.stop();
    }
  });
});
