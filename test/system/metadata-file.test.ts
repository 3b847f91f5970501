import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SaveResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import type { TestDaemon } from './support/daemons.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import { identify } from './support/identity.ts';

/** Those with BuildKit, which writes such files. */
describe.each(['docker-28-graph', 'docker-28-containerd'] as const)(
  'what a build in %s wrote down',
  (kind) => {
    const skip = skipReason(kind) !== undefined;
    let folder: string;
    let daemon: TestDaemon;

    beforeAll(async () => {
      if (skip) return;
      folder = await mkdtemp(join(tmpdir(), 'drayage-metadata-'));
      daemon = await startDaemon(kind);
      await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\nARG X\nLABEL x=$X\n');
    });
    afterAll(async () => {
      if (skip) return;
      await daemon.stop();
      await rm(folder, { recursive: true, force: true });
    });

    const docker = async (...args: string[]): Promise<void> => {
      const { code, stderr } = await daemon.docker(args);
      expect(`${code} ${code === 0 ? '' : stderr}`).toBe('0 ');
    };
    const save = async (file: string): Promise<SaveResult['images']> => {
      const args = ['save', '--metadata-file', file, '--out', `of-${file}`, '--host', daemon.host];
      return (await drayageJson<SaveResult>(args, { cwd: folder })).images;
    };
    const build = async (x: string, ...args: string[]): Promise<void> =>
      docker('buildx', 'build', '--quiet', '--build-arg', `X=${x}`, '--tag', 'app', ...args, folder);

    test.skipIf(skip)('is never mistaken for what took its name since', async () => {
      await build('first', '--metadata-file', join(folder, 'build.json'));
      const { configDigest } = await identify(daemon, 'app');
      await build('second');
      expect((await identify(daemon, 'app')).configDigest).not.toBe(configDigest);
      const args = ['save', '--metadata-file', 'build.json', '--out', 'layout', '--host', daemon.host];
      const { code, stdout, stderr } = await drayage([...args, '--json'], { cwd: folder });
      if (kind === 'docker-28-graph') {
        expect(JSON.parse(stdout)).toMatchObject({ images: [{ name: 'app:latest', id: configDigest }] });
      } else {
        // This store has dropped it by then: never the other one in its place.
        expect([code, stderr]).toEqual([
          4,
          expect.stringMatching(/has no image sha256:.*whose name another build takes/s),
        ]);
      }
    });

    test.skipIf(skip)('is saved under its name', async () => {
      await build('third', '--metadata-file', join(folder, 'third.json'));
      const { configDigest } = await identify(daemon, 'app');
      const images = await save('third.json');
      expect(images.map(({ name, id }) => [name, id])).toEqual([['app:latest', configDigest]]);
    });

    test.skipIf(skip).each([
      ['an image ID', '--iidfile'],
      ['metadata', '--metadata-file'],
    ])('is saved by %s of a build without a name and without attestations', async (_, option) => {
      const file = join(folder, option.slice(2));
      const args = ['buildx', 'build', '--quiet', '--build-arg', `X=${option}`, option, file, folder];
      // It prints the digest of the config, by which a containerd store itself does not find an image.
      const { code, stdout } = await daemon.docker(args, { env: { BUILDX_NO_DEFAULT_ATTESTATIONS: '1' } });
      expect(code).toBe(0);
      const saving = ['save', option, file, '--out', `of${option}`, '--host', daemon.host];
      const { images } = await drayageJson<SaveResult>(saving, { cwd: folder });
      expect(images.map(({ name, id }) => [name, id])).toEqual([[null, stdout.trim()]]);
    });

    test.skipIf(skip)('is saved of every target of a bake', async () => {
      const target = (x: string) => ({ context: folder, args: { X: x }, tags: [`${x}:1`, `${x}:2`] });
      const definition = {
        group: { default: { targets: ['a', 'b'] } },
        target: { a: target('a'), b: target('b') },
      };
      await writeFile(join(folder, 'bake.json'), JSON.stringify(definition));
      const files = ['--file', join(folder, 'bake.json'), '--metadata-file', join(folder, 'baked.json')];
      await docker('buildx', 'bake', `--allow=fs.read=${folder}`, ...files);
      const expected = await Promise.all(
        ['a:1', 'b:1'].map(async (name) => (await identify(daemon, name)).configDigest),
      );
      const images = await save('baked.json');
      expect(new Set(images.map(({ name }) => name))).toEqual(new Set(['a:1', 'b:1']));
      expect(new Set(images.map(({ id }) => id))).toEqual(new Set(expected));
    });
  },
);
