import { createReadStream } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { diffLayouts } from '../../src/cli/commands/diff.ts';
import { inspectLayouts } from '../../src/cli/commands/inspect.ts';
import type { Outcome } from '../../src/cli/context.ts';
import type { DiffResult } from '../../src/index.ts';
import { formatHtml } from '../../src/cli/html.ts';
import { inspect } from '../../src/verbs/inspect.ts';
import { Layout } from '../../src/layout/layout.ts';
import { save } from '../../src/verbs/save/save.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { withForeignLayer } from '../layout/sample-images.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { contextOf } from './contexts.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

describe('diff', () => {
  beforeEach(async () => {
    await drayageJson<object>(['save', '--from', fixturePath('docker-28-graph.tar'), '-o', 'all'], { cwd });
  });

  test('tells layers and configs of two images, as text, as references and as one document', async () => {
    const sides = ['oci:all:example/app:1', 'oci:all:example/tools:2'];
    const result = await drayageJson<DiffResult & { a: string; b: string }>(['diff', ...sides], { cwd });
    expect(Object.keys(result)).toEqual(['a', 'b', 'layers', 'bytes', 'config', 'images']);
    expect([result.a, result.b]).toEqual(sides);
    expect(result.layers.shared).toHaveLength(2);
    const { code, stdout } = await drayage(['diff', ...sides], { cwd });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^in both: 2 layers, \d/);
    // A person looks for the instruction: the digest comes last.
    const [a, b] = [result.layers.onlyA[0], result.layers.onlyB[0]];
    expect(stdout).toMatch(new RegExp(`^- .*B  .*${a?.diffId}$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^\\+ .*B  .*${b?.diffId}$`, 'm'));
    const quiet = await drayage(['diff', ...sides, '-q'], { cwd });
    expect(quiet.stdout.split('\n').slice(0, -1)).toEqual(
      [...result.layers.onlyA, ...result.layers.onlyB].map(({ diffId }) => diffId),
    );
  });

  test.each([
    [['all'], 2],
    [['all', 'none'], 4],
    [['all', 'oci:all:none:1'], 4],
  ])('%j ends with %i', async (sides, code) => {
    expect((await drayage(['diff', ...sides], { cwd })).code).toBe(code);
  });
});

function compare(a: string, b: string, image?: string[]): Promise<Outcome> {
  return diffLayouts([a, b], image === undefined ? {} : { image }, contextOf());
}

test('diff takes archives, too, and leaves nothing of them behind', async () => {
  vi.stubEnv('TMPDIR', cwd);
  onTestFinished(() => void vi.unstubAllEnvs());
  const archive = `docker-archive:${fixturePath('docker-28-graph.tar')}`;
  const { json } = await compare(`${archive}:example/app:1`, `${archive}:example/tools:2`);
  expect(json).toMatchObject({ layers: { shared: [{}, {}], onlyA: [{}], onlyB: [{}] } });
  const layout = await Layout.create(join(cwd, 'tools'));
  await save({ from: { archive: createReadStream(fixturePath('docker-28-graph.tar')) }, to: layout });
  const { quiet } = await compare(layout.path, archive);
  expect(quiet).toEqual([]);
  const chosen = await compare(`oci:${layout.path}:example/tools:2`, archive, ['example/tools:2']);
  expect(chosen.quiet).toEqual([]);
  await expect(compare(archive, 'none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await readdir(cwd)).toEqual(['tools']);
});

/** An image over one layer that is not here. */
async function layoutWithout(image: SampleImage): Promise<Layout> {
  const layout = await Layout.create(join(cwd, 'layout'));
  await layout.update((transaction) => addSample(transaction, image, ['app:1']));
  const [layer] = image.layers;
  await rm(join(layout.path, 'blobs', layer?.digest.replace(':', '/') ?? ''));
  return layout;
}

describe('inspect', () => {
  const at = 'https://layers.example/a?b&c';

  test.each([
    ['may not be distributed', withForeignLayer([at]), `not distributable and absent: it is at ${at}`],
    ['may not be distributed, at no address', withForeignLayer(), 'not distributable and absent'],
    ['is missing', sampleImage(['a']), 'missing'],
  ])('says of a layer that %s why its bytes are not here, as text and as a page', async (_, image, words) => {
    const { path } = await layoutWithout(image);
    const { text } = await inspectLayouts([path], {}, contextOf());
    expect(text.filter((line) => line.startsWith('  layer  '))).toEqual([
      expect.stringMatching(/^ {2}layer {5}sha256:[0-9a-f]{64} {2}\d+ B {2}/),
    ]);
    expect(
      text
        .find((line) => line.startsWith('  layer  '))
        ?.split('  ')
        .at(-1),
    ).toBe(words);
    expect(text.some((line) => line.includes('the layout is incomplete'))).toBe(words === 'missing');
    expect(text).toContain('1 image, 0 B of layers stored, 0 B saved by sharing');
    const page = formatHtml(await inspect({ from: [await Layout.open(path)] }), ['layout']);
    expect(page).toContain(`<strong>${words.replace('&', '&amp;')}</strong>`);
    expect(page).toContain('<p>1 image, 0 B of layers stored, 0 B saved by sharing</p>');
  });
});

describe('inspect --html', () => {
  test('- writes the page to standard output alone, and a file is named', async () => {
    await drayageJson<object>(['save', '--from', fixturePath('docker-28-graph.tar')], { cwd });
    const page = await drayage(['inspect', '--html', '-'], { cwd });
    expect([page.code, page.stderr]).toEqual([0, '']);
    expect(page.stdout).toMatch(/^<!doctype html>[^]*<\/html>\n$/);
    expect((await drayage(['inspect', '--html', '-', '--json'], { cwd })).code).toBe(2);
    const { stdout } = await drayage(['inspect', '--html', 'page.html'], { cwd });
    expect(stdout).toMatch(/^page\.html: written$/m);
  });

  test('writes one page with every image, layer and instruction, and still tells what is there', async () => {
    await drayageJson<object>(['save', '--from', fixturePath('docker-28-graph.tar')], { cwd });
    const { code, stdout } = await drayage(['inspect', '--html', 'page.html'], { cwd });
    expect([code, stdout]).toEqual([0, expect.stringContaining('example/app:1')]);
    const page = await readFile(join(cwd, 'page.html'), 'utf8');
    const { images } = await inspect({ from: [await Layout.open(join(cwd, '.drayage/images'))] });
    for (const { names, id, layers } of images) {
      for (const text of [...names, id, ...layers.map(({ digest }) => digest)]) expect(page).toContain(text);
      for (const { createdBy } of layers) expect(createdBy).not.toBeNull();
    }
    expect(page).toContain('shared by');
  });

  test('leaves the values a column of their own on a page of 360 px', async () => {
    const layout = await Layout.create(join(cwd, 'layout'));
    await layout.update((transaction) =>
      addSample(transaction, sampleImage(['a']), ['app:1'], { [`dev.${'long-name.'.repeat(20)}`]: 'x' }),
    );
    const page = formatHtml(await inspect({ from: [layout] }), ['layout']);
    const [, narrow = '', rules = ''] =
      /@media \(max-width:(\d+)rem\)\{((?:[^{}]*\{[^}]*\})*)\}/.exec(page) ?? [];
    // Below this width a row of facts is a column: the value has the width of the page, whatever its name is.
    expect(Number(narrow) * 16).toBeGreaterThan(360);
    expect(rules).toMatch(/\.facts th,\.facts td\{display:block[;}]/);
    expect(page).toMatch(/<meta name="viewport" content="width=device-width">/);
    const facts = page.match(/<table class="facts">.*?<\/table>/s)?.[0] ?? '';
    expect(facts).toContain('long-name.');
    // A digest has no spaces: it breaks anywhere, so that it makes no column wider than the page.
    expect(facts).toMatch(/<td><code>sha256:[0-9a-f]{64}<\/code><\/td>/);
    expect(page).toMatch(/code\{[^}]*overflow-wrap:anywhere/);
  });

  test('shows hostile text as text, and asks for nothing from elsewhere', async () => {
    const hostile = `"><script src=//evil.example></script><img onerror='x' src=y>&amp;\u202egnp`;
    const layout = await Layout.create(join(cwd, 'layout'));
    await layout.update((transaction) =>
      addSample(transaction, sampleImage(['a']), ['app:1'], { [hostile]: hostile }),
    );
    const result = await inspect({ from: [layout] });
    for (const image of result.images) {
      image.names = [hostile];
      image.created = hostile;
      image.platform = hostile;
      for (const layer of image.layers) layer.createdBy = hostile;
    }
    const page = formatHtml(result, [hostile]);
    const tags = new Set([...page.matchAll(/<\/?([a-z0-9]+)/gi)].map(([, name = '']) => name));
    expect([...tags].toSorted()).toEqual([
      'body',
      'br',
      'code',
      'div',
      'h1',
      'h2',
      'h3',
      'head',
      'html',
      'meta',
      'p',
      'style',
      'table',
      'td',
      'th',
      'title',
      'tr',
    ]);
    expect(page).not.toMatch(/<[^>]*\b(?:src|href|on\w+)\s*=/i);
    expect(page).not.toContain('\u202e');
    expect(page).toContain('&lt;script src=//evil.example&gt;');
    expect(page).toContain("default-src 'none'");
  });
});
