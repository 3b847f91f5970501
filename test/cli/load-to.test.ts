import { readdir, writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { writeTo } from '../../src/cli/commands/load-to.ts';
import { Interruption } from '../../src/cli/interruption.ts';
import { describeFailure } from '../../src/cli/report-error.ts';
import type { Target } from '../../src/cli/target.ts';
import { Layout, overlay } from '../../src/index.ts';
import { isLayerType } from '../../src/oci/media-types.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { contextOf } from './contexts.ts';

const IMAGE = sampleImage(['a', 'b']);

const archive = (path: string, format: 'docker' | 'oci'): Target => ({
  kind: 'archive',
  path,
  format,
  name: undefined,
});

test.each([
  ['docker-archive', (path: string) => archive(path, 'docker')],
  ['oci-archive', (path: string) => archive(path, 'oci')],
  ['standard output', (): Target => ({ kind: 'stdout', format: 'docker', name: undefined })],
  ['oci', (path: string): Target => ({ kind: 'layout', path: `${path}.layout`, name: undefined })],
])(
  'a signal while a layer is read into %s ends the run with its code, and leaves nothing',
  async (_, target) => {
    const folder = await temporaryFolder();
    const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
    await layout.update((content) => addSample(content, IMAGE, ['app:1']));
    const file = join(folder, 'app.tar');
    await writeFile(file, 'old');
    const controller = new AbortController();
    const place = overlay(layout, {
      open: async (descriptor, options) => {
        if (isLayerType(descriptor.mediaType)) controller.abort(new Interruption('SIGTERM'));
        return layout.open(descriptor, options);
      },
    });
    const stdout = new PassThrough();
    stdout.resume();
    const context = { ...contextOf(), stdout, signal: controller.signal };
    const choice = { from: [place], openBase: async () => undefined, signal: controller.signal };
    const error: unknown = await writeTo(target(file), choice, {}, context).catch(
      (thrown: unknown) => thrown,
    );
    expect(describeFailure(error)).toMatchObject({ exitCode: 143, lines: ['terminated'] });
    expect([await readdir(folder), await readFile(file, 'utf8')]).toEqual([['app.tar'], 'old']);
  },
);
