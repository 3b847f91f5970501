import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StagedContent } from '../../src/layout/staged-content.ts';
import { Staging } from '../../src/layout/staging.ts';
import { collect } from '../stream/sources.ts';
import { tempFolder } from './folders.ts';

async function openStaged(): Promise<{ staging: Staging; staged: StagedContent }> {
  const staging = await Staging.open(join(tempFolder(), 'layout'));
  return { staging, staged: new StagedContent(staging) };
}

test('what is spooled has come whole before it is read back, and leaves no file', async () => {
  const { staging, staged } = await openStaged();
  const chunks = [1, 2, 3].map((byte) => Buffer.alloc(700_000, byte));
  let given = 0;
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) {
      given += 1;
      yield chunk;
      expect(readdirSync(staging.path)).toEqual(['lease']);
    }
  }
  const read: Uint8Array[] = [];
  for await (const chunk of staged.spool(source())) {
    expect([given, readdirSync(staging.path)]).toEqual([3, ['lease']]);
    read.push(chunk);
  }
  expect(Buffer.concat(read).equals(Buffer.concat(chunks))).toBe(true);
  await staging.remove();
});

test('an error of the bytes is thrown as it is, and leaves no file', async () => {
  const { staging, staged } = await openStaged();
  const broken = new Error('broken');
  async function* source(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('x');
    throw broken;
  }
  await expect(collect(staged.spool(source()))).rejects.toBe(broken);
  expect(readdirSync(staging.path)).toEqual(['lease']);
  await staging.remove();
});
