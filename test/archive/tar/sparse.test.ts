import { describe, expect, test } from 'vitest';
import { readTar } from '../../../src/archive/tar/read.ts';
import { Budget, withBudget } from '../../../src/budget.ts';
import { gather } from '../../support/archives/plain-ingest.ts';
import { inChunks } from '../../support/archives/read-bytes.ts';
import { entry, header, padded, pax, paxRaw, tar } from '../../support/archives/tar-bytes.ts';

type Records = Record<string, string>;
const keys = (records: Records): Records =>
  Object.fromEntries(Object.entries(records).map(([key, value]) => [`GNU.sparse.${key}`, value]));
const paxOf = (records: Records): Buffer => pax(keys(records));
const sparse = (records: Records, stored: string | Buffer): Buffer =>
  tar(Buffer.concat([paxOf(records), entry('GNUSparseFile.0/x', stored)]), entry('next', 'y'));

async function read(archive: Buffer, chunk: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, size, bytes } of readTar(inChunks(archive, chunk))) {
    const head = Buffer.from(await bytes.peek(3)).toString();
    const content = (await gather(bytes)).toString();
    await bytes.drained;
    expect([content.startsWith(head), content.length]).toEqual([true, size]);
    found.push(`${name}: ${content.replaceAll('\0', '.')}`);
  }
  return found;
}

const V1 = { major: '1', minor: '0', name: 'f', realsize: '10' };
const V01 = { name: 'f', size: '10', numblocks: '3', map: '2,3,7,1,10,0' };
const content = (map: string, data: string): Buffer => Buffer.concat([padded(map), Buffer.from(data)]);
const long =
  '23 GNU.sparse.offset=2\n25 GNU.sparse.numbytes=3\n23 GNU.sparse.offset=7\n25 GNU.sparse.numbytes=1\n';

describe('a sparse file is read with its zeros', () => {
  test.each([
    ['0.0', tar(paxRaw(`22 GNU.sparse.size=10\n` + long), entry('f', 'abcd'), entry('next', 'y'))],
    ['0.1', sparse(V01, 'abcd')],
    ['1.0', sparse(V1, content('3\n2\n3\n7\n1\n10\n0\n', 'abcd'))],
  ])('in version %s', async (_version, archive) => {
    for (const chunk of [1, 512, 100_000])
      expect(await read(archive, chunk)).toEqual(['f: ..abc..d..', 'next: y']);
  });

  test('that is left unread is passed over', async () => {
    const names: string[] = [];
    for await (const { name } of readTar(inChunks(sparse(V01, 'abcd'), 100))) names.push(name);
    expect(names).toEqual(['f', 'next']);
  });
});

describe('a sparse file is refused', () => {
  test.each<[string, Buffer]>([
    ['with parts that overlap', sparse({ ...V01, map: '2,3,4,1,10,0' }, 'abcd')],
    ['with parts behind its end', sparse({ ...V01, map: '2,3,7,1,11,0' }, 'abcd')],
    ['with half a part', sparse({ ...V01, map: '2,3,7' }, 'abcd')],
    ['with another number of parts', sparse({ ...V01, numblocks: '2' }, 'abcd')],
    ['with less content', sparse(V01, 'abc')],
    ['with more content', sparse(V01, 'abcde')],
    ['without a size', sparse({ name: 'f', map: '' }, '')],
    ['with a size that is no number', sparse({ ...V01, size: '1e3' }, 'abcd')],
    ['with a map that ends early', sparse(V1, content('3\n2\n3\n', ''))],
    ['with a map that is no map', sparse(V1, content('x\n', ''))],
    ['that is a symlink', tar(paxOf(V01), header({ type: '2', target: 'b' }))],
    ['for all entries', tar(pax(keys(V01), 'g'), entry('f', 'abcd'))],
  ])('%s', async (_title, archive) => {
    await expect(read(archive, 512)).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test('with a map of too many parts', async () => {
    await expect(read(sparse(V1, content('1000000\n', '')), 512)).rejects.toMatchObject({ code: 'LIMIT' });
  });

  test('in the old format of GNU, with what to do', async () => {
    await expect(read(tar(entry('f', 'x', { type: 'S' })), 512)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      hint: expect.stringContaining('without -S, or in its format posix'),
    });
  });
});

test('zeros of terabytes are beyond the budget', async () => {
  const budget = new Budget({ expansion: 1_000_000 });
  const archive = sparse({ name: 'f', size: String(2 ** 42), numblocks: '0' }, '');
  const reading = withBudget(async () => {
    for await (const { bytes } of readTar(inChunks(archive, 512)))
      for await (const chunk of bytes) expect(chunk.length).toBeLessThanOrEqual(65_536);
  }, budget);
  await expect(reading).rejects.toMatchObject({ code: 'LIMIT' });
  expect(budget.spent.made).toBeLessThan(2_000_000);
});
