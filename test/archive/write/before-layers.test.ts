import { describe, expect, test } from 'vitest';
import type { PlacedContents } from '../../../src/archive/write/oci.ts';
import { writeOciArchive, writeOciArchives } from '../../../src/archive/write/oci.ts';
import { contentsOf } from '../../../src/image/contents.ts';
import { prove } from '../../../src/image/prove.ts';
import type { TestCargo } from '../../docker/cargo.ts';
import { makeCargo } from '../../docker/cargo.ts';
import { drain } from '../../../src/stream/drain.ts';
import { MemoryContent } from '../../support/memory-content.ts';

let count = 0;

/** What a receiver that checks has of an image's archive when it fails, and the error. */
async function received({ root, source }: TestCargo): Promise<{ text: string; error: unknown }> {
  let text = '';
  try {
    for await (const chunk of writeOciArchive(root, ['app:1'], source, { receiverChecks: true }))
      text += String(chunk);
    return { text, error: undefined };
  } catch (error) {
    return { text, error };
  }
}

/** An image whose last layer a process has proven elsewhere, and which is damaged here. */
async function damaged(): Promise<TestCargo> {
  const cargo = makeCargo({ layers: ['base', `proven ${count++}`] });
  const [blob, diffId] = [cargo.layers[1] ?? expect.fail(), cargo.diffIds[1] ?? expect.fail()];
  await prove(cargo.source, { blob, diffId });
  cargo.source.blobs.set(blob.digest, Buffer.alloc(blob.size));
  return cargo;
}

describe('a receiver that checks gets no document and no blob of an image', () => {
  test.each<[string, () => TestCargo | Promise<TestCargo>]>([
    ['with another layer', () => makeCargo({ layers: ['base', `other ${count++}`], misnamed: true })],
    ['with a damaged layer that was proven elsewhere', damaged],
  ])('%s', async (_, make) => {
    const { text, error } = await received(await make());
    expect(error).toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(text).toContain('oci-layout');
    expect(text).not.toContain('index.json');
    expect(text).not.toContain('blobs/');
  });

  test('but all of an intact one', async () => {
    const { text, error } = await received(makeCargo({ layers: ['base', `intact ${count++}`] }));
    expect(error).toBeUndefined();
    expect(text).toContain('index.json');
    expect(text).toContain('blobs/');
  });
});

/** Images over one base, from sources that hold all of them, and the number of times that the base was opened. */
async function opensOfBase(sources: number, edit?: (images: PlacedContents[]) => void): Promise<number> {
  const base = `shared ${count++}`;
  const cargos = ['a', 'b', 'c', 'd'].map((top) => makeCargo({ layers: [base, `${base} ${top}`] }));
  const { digest } = cargos[0]?.layers[0] ?? expect.fail();
  let opens = 0;
  const all = cargos.flatMap(({ source }) => [...source.blobs.values()]);
  const contents = Array.from({ length: sources }, () => {
    const content = new MemoryContent(all);
    const open = content.open.bind(content);
    content.open = async (wanted, options) => {
      if (wanted.digest === digest) opens += 1;
      return open(wanted, options);
    };
    return content;
  });
  const images = await Promise.all(
    cargos.map(async ({ root }, i) => {
      const source = contents[i % sources] ?? expect.fail();
      return { contents: await contentsOf(source, root), names: [`app:${i}`], source };
    }),
  );
  edit?.(images);
  await drain(writeOciArchives(images, { receiverChecks: true }));
  return opens;
}

describe('a blob that several images share', () => {
  test.each([1, 2, 4])('is verified once in each of %i sources, and then sent once', async (sources) => {
    expect(await opensOfBase(sources)).toBe(sources + 1);
  });

  test('is read again for an image that states another size', async () => {
    const opening = opensOfBase(1, (images) => {
      const { blobs } = images.at(-1)?.contents ?? expect.fail();
      const shared = images[0]?.contents.blobs.map(({ digest }) => digest);
      const at = blobs.findIndex(({ digest }) => shared?.includes(digest));
      const blob = blobs[at] ?? expect.fail();
      blobs[at] = { ...blob, size: blob.size + 1 };
    });
    await expect(opening).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
  });
});
