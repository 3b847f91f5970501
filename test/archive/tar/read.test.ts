import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { extract, pack } from 'tar-stream';
import { DrayageError } from '../../../src/errors.ts';
import { readTar } from '../../../src/archive/tar/read.ts';
import { gather } from '../../support/archives/plain-ingest.ts';
import { inChunks } from '../../support/archives/read-bytes.ts';
import type { HeaderFields } from '../../support/archives/tar-bytes.ts';
import {
  END,
  base256,
  entry,
  GNU,
  gnuLong,
  header,
  padded,
  pax,
  paxRaw,
  symlink,
  tar,
} from '../../support/archives/tar-bytes.ts';

const V7 = '\0'.repeat(8);
const bad = (fields: HeaderFields): Buffer => entry('a', 'x', fields);

interface Read {
  type: string;
  name: string;
  target: string;
  content: string;
}

async function read(bytes: Buffer, chunk = 512): Promise<Read[]> {
  const entries: Read[] = [];
  for await (const { type, name, target, bytes: content } of readTar(inChunks(bytes, chunk))) {
    entries.push({ type, name, target, content: (await gather(content)).toString() });
  }
  return entries;
}

const file = (name: string, content: string): Read => ({ type: 'file', name, target: '', content });

describe('entries', () => {
  test.each([1, 512, 100_000])(
    'show how they begin, and no byte of the next one, in chunks of %i',
    async (chunk) => {
      const archive = tar(entry('a', 'x'.repeat(700)), entry('b', 'yy'), entry('c'));
      const seen: string[] = [];
      for await (const { bytes } of readTar(inChunks(archive, chunk))) {
        const head = Buffer.from(await bytes.peek(600)).toString();
        const content = (await gather(bytes)).toString();
        await bytes.drained;
        expect(content.startsWith(head)).toBe(true);
        seen.push(`${head.length} of ${content.length}`);
      }
      expect(seen).toEqual(['600 of 700', '2 of 2', '0 of 0']);
    },
  );

  test.each([1, 3, 512, 100_000])('come with their content, in chunks of %i', async (chunk) => {
    const archive = tar(
      entry('a', 'x'.repeat(700)),
      symlink('b', '../a'),
      entry('c'),
      entry('d', 'y'.repeat(512)),
    );
    const link = { type: 'symlink', name: 'b', target: '../a', content: '' };
    const files = [file('a', 'x'.repeat(700)), link, file('c', ''), file('d', 'y'.repeat(512))];
    expect(await read(archive, chunk)).toEqual(files);
  });

  test('that are left unread are passed over', async () => {
    const names: string[] = [];
    for await (const { name, bytes } of readTar(
      inChunks(tar(entry('a', 'x'.repeat(5000)), entry('b', 'y')), 100),
    )) {
      names.push(name);
      await bytes[Symbol.asyncIterator]().next();
    }
    expect(names).toEqual(['a', 'b']);
  });

  test.each([
    ['a GNU long name', Buffer.concat([gnuLong('n'.repeat(300)), entry('short', 'x')]), 'n'.repeat(300)],
    ['a pax path', Buffer.concat([pax({ path: 'é'.repeat(300) }), entry('short', 'x')]), 'é'.repeat(300)],
    ['a ustar prefix', entry('b', 'x', { prefix: 'a'.repeat(150) }), `${'a'.repeat(150)}/b`],
    ['a field that is full', entry('f'.repeat(100), 'x'), 'f'.repeat(100)],
    ['a global comment before it', Buffer.concat([pax({ comment: 'c' }, 'g'), entry('a', 'x')]), 'a'],
    ['type NUL, as of old', entry('a', 'x', { type: '\0' }), 'a'],
    ['a header older than ustar', entry('a', 'x', { magic: V7 }), 'a'],
    ['a size in base 256', Buffer.concat([header({ name: 'a', size: base256(1) }), padded('x')]), 'a'],
    ['a size of pax', Buffer.concat([pax({ size: '1' }), header({ name: 'a' }), padded('x')]), 'a'],
    ['a size with spaces', entry('a', 'x', { size: '         1 \0' }), 'a'],
    [
      'other pax records',
      Buffer.concat([pax({ 'SCHILY.xattr.x': Buffer.from([0xff, 0, 10]) }), entry('a', 'x')]),
      'a',
    ],
  ])('with %s', async (_title, bytes, name) => {
    expect(await read(tar(bytes))).toEqual([file(name, 'x')]);
  });

  test('of a folder that was written as a file', async () => {
    expect(await read(tar(entry('a/', '', { type: '\0' })))).toMatchObject([
      { type: 'directory', name: 'a/' },
    ]);
  });

  test('are those that tar-stream wrote', async () => {
    const made = pack();
    const long = `${'l'.repeat(200)}/${'n'.repeat(200)}`;
    made.entry({ name: long }, 'one');
    made.entry({ name: 'ä' }, 'two');
    made.entry({ name: 'link', type: 'symlink', linkname: long });
    made.finalize();
    const bytes = await gather(Readable.from(made));
    const link = { type: 'symlink', name: 'link', target: long, content: '' };
    expect(await read(bytes)).toEqual([file(long, 'one'), file('ä', 'two'), link]);
  });
});

describe('the end of an archive', () => {
  test('may be filled up with zeros', async () => {
    expect(await read(Buffer.concat([tar(entry('a')), Buffer.alloc(10_240 - 1024)]))).toHaveLength(1);
    expect(await read(Buffer.concat([tar(entry('a')), Buffer.alloc(100)]))).toHaveLength(1);
  });

  test('comes at any place but the right one: the archive was cut', async () => {
    const archive = tar(
      pax({ path: 'p' }),
      entry('a', 'x'.repeat(600)),
      gnuLong('n'.repeat(110)),
      entry('b', 'y'),
    );
    for (let length = 0; length < archive.length; length++) {
      await expect(read(archive.subarray(0, length)), `cut at ${length}`).rejects.toMatchObject({
        code: 'TRUNCATED',
      });
    }
  });

  test.each([
    ['a second archive behind it', Buffer.concat([tar(entry('a')), tar(entry('b'))])],
    ['garbage behind it', Buffer.concat([tar(entry('a')), Buffer.from('x')])],
    ['a zero block between entries', tar(entry('a'), Buffer.alloc(512), entry('b'))],
    ['a zero block in front', tar(Buffer.alloc(512), entry('b'))],
  ])('%s is refused', async (_title, archive) => {
    await expect(read(archive)).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test.each([
    ['between entries', entry('a', 'x')],
    ['inside an entry', entry('a', 'x'.repeat(9000)).subarray(0, 3000)],
    ['after the end', tar(entry('a', 'x'))],
    ['and is long', entry('a', 'x'), 'z'.repeat(3000)],
  ])('a message that a daemon appended comes through: %s', async (_title, before, more = '') => {
    const message = `write blob "x": no space${more}`;
    const reading = read(Buffer.concat([before, Buffer.from(`${JSON.stringify({ message })}\n`)]));
    await expect(reading).rejects.toMatchObject({
      code: 'TRUNCATED',
      message: `the daemon broke its archive off: ${message}`,
    });
  });
});

describe('refused', () => {
  test.each([
    ['a checksum that is wrong', bad({ checksum: 1 }), 'MALFORMED'],
    ['no tar at all', Buffer.from('hello '.repeat(200)), 'MALFORMED'],
    [
      'no header behind an entry',
      Buffer.concat([entry('a'), Buffer.from('hello '.repeat(200))]),
      'MALFORMED',
    ],
    ['a header of an unknown format', bad({ magic: 'ustar\x001\0' }), 'UNSUPPORTED'],
    ['a v7 header with a prefix, which some read', bad({ magic: V7, prefix: 'p' }), 'UNSUPPORTED'],
    ['a sparse file', bad({ type: 'S' }), 'UNSUPPORTED'],
    [
      'a sparse file of an unknown version',
      Buffer.concat([pax({ 'GNU.sparse.major': '2' }), entry('a')]),
      'UNSUPPORTED',
    ],
    ['a device', bad({ type: '3', size: 0 }), 'UNSUPPORTED'],
    ['an unknown type', bad({ type: 'Z' }), 'UNSUPPORTED'],
    ['a blank size', bad({ size: ' '.repeat(12) }), 'MALFORMED'],
    ['an empty size', bad({ size: '\0'.repeat(12) }), 'MALFORMED'],
    ['a size of -5', bad({ size: '-5\0' }), 'MALFORMED'],
    ['a size of 8', bad({ size: '00000000008\0' }), 'MALFORMED'],
    ['a size of abc', bad({ size: 'abc\0' }), 'MALFORMED'],
    ['a negative size in base 256', bad({ size: Buffer.alloc(12, 0xff) }), 'MALFORMED'],
    [
      'an enormous size in base 256',
      bad({ size: Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11, 0xff)]) }),
      'MALFORMED',
    ],
    ['a folder with content', entry('a/', 'x'.repeat(700), { type: '5' }), 'MALFORMED'],
    ['a hard link with content', entry('a', 'x', { type: '1', target: 'b' }), 'MALFORMED'],
    ['a symlink with content', entry('a', 'x', { type: '2', target: 'b' }), 'MALFORMED'],
    ['a name that is not UTF-8', entry('x', 'x', { name: Buffer.from([0xff, 0xfe]) }), 'MALFORMED'],
    ['a link target that is not UTF-8', header({ type: '2', target: Buffer.from([0xff]) }), 'MALFORMED'],
    [
      'two long names in a row',
      Buffer.concat([gnuLong('a'.repeat(101)), gnuLong('b'.repeat(101)), entry('c')]),
      'MALFORMED',
    ],
    [
      'a name of pax and one of GNU',
      Buffer.concat([pax({ path: 'a' }), gnuLong('b'.repeat(101)), entry('c')]),
      'MALFORMED',
    ],
    ['a long name with a NUL in it', Buffer.concat([gnuLong('a\0b'), entry('c')]), 'MALFORMED'],
    ['a long name for nothing', gnuLong('a'.repeat(101)), 'MALFORMED'],
    ['a pax size of 1e3', Buffer.concat([pax({ size: '1e3' }), entry('a')]), 'MALFORMED'],
    ['a pax size of -1', Buffer.concat([pax({ size: '-1' }), entry('a')]), 'MALFORMED'],
    ['a pax path with a NUL', Buffer.concat([pax({ path: 'a\0b' }), entry('a')]), 'MALFORMED'],
    ['a pax path with a line break', Buffer.concat([pax({ path: 'a\nb' }), entry('a')]), 'MALFORMED'],
    ['an empty pax path', Buffer.concat([pax({ path: '' }), entry('a')]), 'MALFORMED'],
    [
      'a pax path that is not UTF-8',
      Buffer.concat([pax({ path: Buffer.from([0xc3]) }), entry('a')]),
      'MALFORMED',
    ],
    ['a pax path twice', Buffer.concat([paxRaw('8 path=a\n8 path=b\n'), entry('a')]), 'MALFORMED'],
    ['a pax path for all entries', Buffer.concat([pax({ path: 'a' }, 'g'), entry('a')]), 'MALFORMED'],
    ['a pax record of length 0', Buffer.concat([paxRaw('0 path=a\n'), entry('a')]), 'MALFORMED'],
    ['a pax record that is too long', Buffer.concat([paxRaw('99 path=a\n'), entry('a')]), 'MALFORMED'],
    ['a pax record that is too short', Buffer.concat([paxRaw('7 path=a\n'), entry('a')]), 'MALFORMED'],
    ['a pax record without a length', Buffer.concat([paxRaw('path=a\n'), entry('a')]), 'MALFORMED'],
    ['a pax record without a key', Buffer.concat([paxRaw('5 =a\n'), entry('a')]), 'MALFORMED'],
    ['a pax record without an equals sign', Buffer.concat([paxRaw('7 path\n'), entry('a')]), 'MALFORMED'],
    ['a pax header of many records', Buffer.concat([paxRaw('6 a=b\n'.repeat(1001)), entry('a')]), 'LIMIT'],
    ['a pax header of 100 MB', header({ type: 'x', size: 100_000_000 }), 'LIMIT'],
    ['a long name of 100 MB', header({ type: 'L', size: 100_000_000, magic: GNU }), 'LIMIT'],
  ])('%s', async (_title, bytes, code) => {
    await expect(read(Buffer.concat([bytes, END]))).rejects.toMatchObject({ code });
  });

  test('any flipped bit of a header, but for those in the blanks of its checksum', async () => {
    const archive = tar(entry('name', 'content'));
    let harmless = 0;
    for (let bit = 0; bit < 512 * 8; bit++) {
      const flipped = Buffer.from(archive);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const result = await read(flipped).catch((error: unknown) => error);
      if (result instanceof DrayageError) continue;
      harmless++;
      expect(result, `bit ${bit}`).toEqual([file('name', 'content')]);
      expect([148, 149, 154, 155]).toContain(bit >> 3);
    }
    expect(harmless).toBeLessThan(8);
  });
});

test('the archives of these tests are what tar-stream takes for tar', async () => {
  const out = extract();
  const names: string[] = [];
  out.on('entry', ({ name }, stream, next) => {
    names.push(name);
    stream.on('end', next).resume();
  });
  out.end(
    tar(
      pax({ path: 'p'.repeat(200) }),
      entry('a', 'x'),
      gnuLong('g'.repeat(200)),
      entry('b', 'y'),
      symlink('l', 'b'),
    ),
  );
  await new Promise((resolve) => out.on('finish', () => resolve(undefined)));
  expect(names).toEqual(['p'.repeat(200), 'g'.repeat(200), 'l']);
});
