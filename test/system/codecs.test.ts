import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { SaveResult } from '../../src/index.ts';
import { nativeZstd } from '../../src/stream/zstd-runtime.ts';
import { drayageJson } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type DaemonKind, skipReason, startDaemon } from './support/daemons.ts';
import { run } from './support/run-command.ts';
import { syntheticArchive } from './support/synthetic-archive.ts';

const { PATH = '' } = process.env;
/** Several blocks of each codec, and a last one that is not full. */
const [LAYERS, MIB] = [2, 9];

const CODECS = nativeZstd() === undefined ? ['none', 'gzip'] : ['none', 'gzip', 'zstd'];
/** What another one reads a blob with. */
const READERS: Record<string, string> = { none: 'cat', gzip: 'gzip -dc', zstd: 'zstd -q -dc' };

async function shell(script: string): Promise<string> {
  const { code, stdout, stderr } = await run('sh', ['-c', script], { env: { PATH } });
  expect(`${code} ${stderr}`, script).toBe('0 ');
  return stdout;
}

async function saved(codec: string): Promise<SaveResult & { layout: string }> {
  const cwd = await temporaryFolder();
  const layout = join(cwd, 'layout');
  const args = ['save', '--from', '-', '-o', layout, '--compress', codec];
  const input = syntheticArchive('codec:1', LAYERS, MIB);
  return { ...(await drayageJson<SaveResult>(args, { cwd, input })), layout };
}

describe.each(CODECS)('layers that are stored with %s', (codec) => {
  test("are read by the system's own program, to the byte", async () => {
    const { layout, images } = await saved(codec);
    expect(images[0]?.layers).toHaveLength(LAYERS);
    for (const { digest, diffId } of images[0]?.layers ?? []) {
      const blob = join(layout, 'blobs', digest.replace(':', '/'));
      if (codec !== 'none') await shell(`${codec} -q -t < '${blob}'`);
      expect(await shell(`${READERS[codec]} < '${blob}' | sha256sum`)).toBe(`${diffId.slice(7)}  -\n`);
    }
  });

  test.each<DaemonKind>(['docker-28-graph', 'docker-28-containerd'])(
    'are read by %s, without us',
    async (kind) => {
      expect(skipReason(kind)).toBeUndefined();
      const { layout, images } = await saved(codec);
      const daemon = await startDaemon(kind);
      onTestFinished(() => daemon.stop());
      await shell(`tar -C '${layout}' -cf '${layout}.tar' .`);
      const loaded = await daemon.docker(['load', '--input', `${layout}.tar`]);
      expect(`${loaded.code} ${loaded.stderr}`).toBe('0 ');
      const format = '{{json .RootFS.Layers}}';
      const { stdout } = await daemon.docker(['image', 'inspect', '--format', format, 'codec:1']);
      expect(JSON.parse(stdout)).toEqual(images[0]?.layers.map(({ diffId }) => diffId));
    },
  );
});
