import fc from 'fast-check';
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import { readTar } from '../../../src/archive/tar/read.ts';
import { DrayageError } from '../../../src/errors.ts';
import { gather } from '../../support/archives/plain-ingest.ts';
import { inChunks } from '../../support/archives/read-bytes.ts';
import { entry, gnuLong, pax, tar } from '../../support/archives/tar-bytes.ts';

/** Name and content of each entry. */
type Entries = [name: string, content: string][];

async function ours(bytes: Buffer, chunk: number): Promise<Entries> {
  const entries: Entries = [];
  for await (const { name, bytes: content } of readTar(inChunks(bytes, chunk)))
    entries.push([name, (await gather(content)).toString('hex')]);
  return entries;
}

/** The same, as another reader has it. */
async function theirs(bytes: Buffer): Promise<Entries> {
  const entries: Entries = [];
  const reader = extract();
  const done = new Promise<void>((resolve, reject) => reader.on('finish', resolve).on('error', reject));
  reader.on('entry', ({ name }, stream, next) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk) => chunks.push(chunk as Buffer));
    stream.on('end', () => {
      entries.push([name, Buffer.concat(chunks).toString('hex')]);
      next();
    });
  });
  reader.end(bytes);
  await done;
  return entries;
}

const name = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .string({
      unit: fc.constantFrom('a', 'b', '0', '9', '/', '.', '_', '-', 'é', '界', ' '),
      minLength: 1,
      maxLength,
      size: 'max',
    })
    .filter((text) => !text.endsWith('/'));
const content = fc.uint8Array({ maxLength: 1500, size: 'max' }).map((bytes) => Buffer.from(bytes));

/** A file in each of the formats that state a name. */
const file = fc.oneof(
  fc.tuple(name(30), content).map(([path, bytes]) => entry(path, bytes)),
  fc.tuple(name(300), content).map(([path, bytes]) => Buffer.concat([pax({ path }), entry('x', bytes)])),
  fc.tuple(name(300), content).map(([path, bytes]) => Buffer.concat([gnuLong(path), entry('x', bytes)])),
);
const archive = fc.array(file, { maxLength: 4, size: 'max' }).map((files) => tar(...files));
const chunk = fc.integer({ min: 1, max: 3000 });

/** Each run reads the same archives. A failure is printed as it is: to make it smaller takes minutes. */
const RUNS = { seed: 20_260_101, numRuns: 200, endOnFailure: true };

test('archives of random files, in random chunks, are read as by tar-stream', async () => {
  await fc.assert(
    fc.asyncProperty(archive, chunk, async (bytes, size) => {
      expect(await ours(bytes, size)).toEqual(await theirs(bytes));
    }),
    RUNS,
  );
});

test('with any byte changed they are refused, or read as by tar-stream', async () => {
  const change = fc.record({ at: fc.nat(), bits: fc.integer({ min: 1, max: 255 }) });
  await fc.assert(
    fc.asyncProperty(archive, chunk, change, async (bytes, size, { at, bits }) => {
      const changed = Buffer.from(bytes);
      const position = at % changed.length;
      changed.writeUInt8(changed.readUInt8(position) ^ bits, position);
      const read = await ours(changed, size).catch((error: unknown) => error);
      if (!(read instanceof DrayageError)) expect(read).toEqual(await theirs(changed));
    }),
    RUNS,
  );
});
