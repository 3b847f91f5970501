import { generateKeyPairSync } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { beforeEach, describe, expect, test } from 'vitest';
import { diffLayouts } from '../../src/cli/commands/diff.ts';
import { loadImages } from '../../src/cli/commands/load.ts';
import { mergeLayouts } from '../../src/cli/commands/merge.ts';
import { saveImages } from '../../src/cli/commands/save.ts';
import { signImages } from '../../src/cli/commands/sign.ts';
import { verifyLayouts } from '../../src/cli/commands/verify.ts';
import type { Context } from '../../src/cli/context.ts';
import { readOrigin } from '../../src/ci/gitlab/job.ts';
import { originAnnotations } from '../../src/ci/origin.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, imageOf, sampleImage } from '../../src/testing/sample-images.ts';
import { SIGNING_JOB, TAKING_JOB } from '../support/gitlab-job.ts';
import { save } from '../../src/verbs/save/save.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

// The commands in this process, with files of their own.
const IMAGE = sampleImage(['a']);

let folder: string;
let path: string;
let layout: Layout;
let keys: { key: string };
let publicKeys: { key: string };
beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder, 'layout');
  keys = { key: join(folder, 'key.pem') };
  publicKeys = { key: join(folder, 'key.pub') };
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  await writeFile(keys.key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(publicKeys.key, publicKey.export({ type: 'spki', format: 'pem' }));
  layout = await Layout.create(path);
  const annotations = originAnnotations(readOrigin(SIGNING_JOB));
  await layout.update((content) => addSample(content, IMAGE, ['app:1'], annotations));
});

function context(env: Context['env']): Context {
  const { signal } = new AbortController();
  return { env, stdin: new PassThrough(), stdout: new PassThrough(), signal, onProgress: () => {} };
}

const sign = async (env: Context['env'] = SIGNING_JOB, ...given: string[]) =>
  signImages([path], { ...keys, expect: given }, context(env));
const verify = async (at: string) => verifyLayouts([at], publicKeys, context({}));

test('verify refuses a name that was not signed, and says how it is expected', async () => {
  await sign();
  await layout.update(async (content) => {
    content.remove('app:1');
    content.add(IMAGE.root, ['other:1'], {});
  });
  const { exitCode, text } = await verify(path);
  expect(exitCode).toBe(5);
  expect(text.join('\n')).toContain('--expect name=other:1');
  expect(text.join('\n')).not.toContain('proven');
});

test('a copy may get another name: its image is asked for under the one that was signed', async () => {
  await sign();
  const copy = join(folder, 'copy');
  await loadImages([path], { ...publicKeys, to: `oci:${copy}:other:1` }, context({}));
  expect(await (await Layout.open(copy)).images()).toMatchObject([{ names: ['other:1'] }]);
  expect(await verify(copy)).toMatchObject({ exitCode: 5 });
  await layout.update(async (content) => {
    for (const { digest } of await layout.referrers(IMAGE.root)) content.remove(digest);
  });
  const again = loadImages(
    [path],
    { ...publicKeys, to: `oci:${join(folder, 'again')}:other:1` },
    context({}),
  );
  await expect(again).rejects.toMatchObject({ code: 'POLICY', facts: { reason: 'UNSIGNED' } });
});

test('what another job has saved is not signed, nor its copy, unless it is said which', async () => {
  await expect(sign(TAKING_JOB)).rejects.toMatchObject({
    code: 'POLICY',
    facts: { reason: 'OTHER_JOB', accepting: { 'job-id': ['123'] } },
  });
  const out = join(folder, 'copy');
  const copy = saveImages([], { ...keys, from: path, out, sign: true }, context(TAKING_JOB));
  await expect(copy).rejects.toMatchObject({ code: 'POLICY' });
  await sign(TAKING_JOB, 'job-id=123');
  expect(await layout.referrers(IMAGE.root)).toHaveLength(1);
});

test('the copy of what another job has saved is signed where it is said which, though it says then that it is of this one', async () => {
  const out = join(folder, 'copy');
  const given = { ...keys, from: path, out, sign: true, expect: ['job-id=123'] };
  await saveImages([], given, context(TAKING_JOB));
  expect(await (await Layout.open(out)).referrers(IMAGE.root)).toHaveLength(1);
  expect((await verify(out)).text.join('\n')).toContain('origin proven');
});

test('a job that expects images of the pipeline that triggered its own signs what it saves', async () => {
  const out = join(folder, 'saved');
  await layout.update(async (content) => {
    content.remove('app:1');
    content.add(IMAGE.root, ['app:1'], {});
  });
  const given = { ...keys, from: path, out, sign: true, expect: ['pipeline=4700 job=build'] };
  await saveImages([], given, context(TAKING_JOB));
  expect(await (await Layout.open(out)).referrers(IMAGE.root)).toHaveLength(1);
});

/** Packs the layout as an OCI archive of another tool, which calls its image by words. */
async function archived(...words: string[]): Promise<string> {
  const archive = pack();
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile() && one.name !== 'manifest.json')) {
    const file = join(entry.parentPath, entry.name);
    const name = relative(path, file);
    const text = await readFile(file);
    if (name !== 'index.json') archive.entry({ name }, text);
    else {
      const index = JSON.parse(text.toString()) as { manifests: Descriptor[] };
      index.manifests = index.manifests.flatMap((one) =>
        one.digest === IMAGE.root.digest ? words.map((word) => calledBy(one, word)) : [one],
      );
      archive.entry({ name }, JSON.stringify(index));
    }
  }
  archive.finalize();
  const file = join(folder, 'image.tar');
  await writeFile(file, await buffer(archive));
  return file;
}

function calledBy(entry: Descriptor, word: string): Descriptor {
  return { ...entry, annotations: { ...entry.annotations, 'org.opencontainers.image.ref.name': word } };
}

describe('the word by which another tool calls an image in an archive', () => {
  let archive: string;
  beforeEach(async () => {
    await layout.update(async (content) => {
      content.remove('app:1');
      content.add(IMAGE.root, [], {});
    });
    await sign();
    archive = await archived('v1');
  });

  test.each([
    [
      'load',
      (from: string, expected: string[], to: string) =>
        loadImages([from], { ...publicKeys, expect: expected, to: `oci:${to}` }, context({})),
    ],
    [
      'merge',
      (from: string, expected: string[], to: string) =>
        mergeLayouts([from], { ...publicKeys, expect: expected, out: to }, context({})),
    ],
  ])('is held against the names that were signed, by %s', async (_, command) => {
    const byWord = `oci-archive:${archive}:v1`;
    const out = join(folder, 'out');
    await expect(command(byWord, [], out)).rejects.toMatchObject({
      code: 'POLICY',
      facts: { reason: 'NAME', accepting: { name: ['v1'] } },
    });
    await command(byWord, ['name=v1'], out);
    await command(`oci-archive:${archive}:${IMAGE.config.digest}`, [], join(folder, 'by-id'));
    expect(await (await Layout.open(out)).referrers(IMAGE.root)).toHaveLength(1);
  });
});

describe('an image of an archive that is requested by two words of another tool', () => {
  const asked = { image: ['v1', 'latest'] };
  let from: string;
  let to: string;
  beforeEach(async () => {
    await layout.update(async (content) => {
      content.remove('app:1');
      content.add(IMAGE.root, [], {});
    });
    await sign();
    from = `oci-archive:${await archived('v1', 'latest')}`;
    to = join(folder, 'out');
  });

  const commands = {
    load: (options: object) => loadImages([from], { ...asked, ...options, to: `oci:${to}` }, context({})),
    merge: (options: object) => mergeLayouts([from], { ...asked, ...options, out: to }, context({})),
  };

  test.each(Object.entries(commands))('is one image for %s', async (_, command) => {
    await command({});
    expect((await (await Layout.open(to)).images()).map(({ root }) => root.digest)).toEqual([
      IMAGE.root.digest,
    ]);
  });

  test.each(Object.entries(commands))('needs a signature for both, by %s', async (_, command) => {
    for (const [known, other] of [
      ['v1', 'latest'],
      ['latest', 'v1'],
    ]) {
      await expect(command({ ...publicKeys, expect: [`name=${known}`] })).rejects.toMatchObject({
        code: 'POLICY',
        facts: { reason: 'NAME', actual: other },
      });
    }
    await command({ ...publicKeys, expect: ['name=v1,latest'] });
  });

  test('is one side of a comparison', async () => {
    const { json } = await diffLayouts([from, from], asked, context({}));
    expect(json).toMatchObject({ layers: { onlyA: [], onlyB: [] } });
  });

  test('is told with both by a save of it', async () => {
    const saved = await save({
      from: { archive: from.replace('oci-archive:', '') },
      images: asked.image,
      to: await Layout.create(to),
    });
    expect(saved.images.map(({ foundAs }) => foundAs)).toEqual([['v1', 'latest']]);
  });
});

test('of a layout without an image nothing is proven', async () => {
  await sign();
  await layout.update(async (content) => content.remove(IMAGE.root.digest));
  const { exitCode, text } = await verify(path);
  expect(exitCode).toBe(4);
  expect(text.join('\n')).toContain('nothing to verify');
  expect(text.join('\n')).not.toContain('proven');
});

/** Puts an image without an origin into the layout, and saves and signs it there. */
async function adopted(image: SampleImage): Promise<void> {
  await layout.update(async (content) => {
    content.remove('app:1');
    await addSample(content, image, ['app:1']);
  });
  await saveImages(['app:1'], { ...keys, from: path, out: path, sign: true }, context(SIGNING_JOB));
}

describe('a layout that a builder wrote', () => {
  test('is adopted and signed at once, and the next job proves its origin', async () => {
    const built = sampleImage(['a', 'b']);
    await adopted(built);
    expect(await layout.referrers(built.root)).toHaveLength(1);
    const { exitCode, text } = await verify(path);
    expect([exitCode ?? 0, text.join('\n')]).toEqual([0, expect.stringContaining('origin proven')]);
    const taken = { ...publicKeys, to: `oci:${join(folder, 'taken')}` };
    await loadImages([path], taken, context(TAKING_JOB));
  });

  test('is not signed if a config lies about a layer', async () => {
    const lying = imageOf([[digestOf(Buffer.from('another layer')), gzipSync('a layer')]]);
    await expect(adopted(lying)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(await layout.referrers(lying.root)).toEqual([]);
  });
});
