import { describe, expect, test } from 'vitest';
import { writeOciArchive } from '../../../src/archive/write/oci.ts';
import { prove } from '../../../src/image/prove.ts';
import type { TestCargo } from '../../docker/cargo.ts';
import { makeCargo } from '../../docker/cargo.ts';

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
