// What one writes first: undici, tar-stream, stream.pipeline and one hash, one layer after the other. Gives blobs in a
// folder, named by what they hold; no manifest, no check of anything, and one digest where a layout needs two.
//
//   node naive-save.mjs none|gzip|zstd OUT --from ARCHIVE | --socket SOCKET IMAGE   [--both-digests]
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { extract } from 'tar-stream';
import { Client } from 'undici';

const [codec, out, how, where, image] = process.argv.slice(2);
const bothDigests = process.argv.includes('--both-digests');
const LEVEL = 1;
/**
 * With the usual buffers, tar-stream's entries flow into a file at about 1 MB/s, and undici copies what waits over and over
 * where gzip is slower than the daemon; nobody would leave it at that.
 */
const ROOM = { highWaterMark: 1024 * 1024 };

const compressors = {
  none: () => [],
  gzip: () => [zlib.createGzip({ level: LEVEL })],
  zstd: () => [zlib.createZstdCompress({ params: { [zlib.constants.ZSTD_c_compressionLevel]: LEVEL } })],
};

function hashing() {
  const hash = createHash('sha256');
  const transform = new Transform({
    ...ROOM,
    transform(chunk, _, callback) {
      hash.update(chunk);
      callback(null, chunk);
    },
  });
  return { transform, digest: () => hash.digest('hex') };
}

async function open() {
  if (how === '--from') return createReadStream(where);
  const client = new Client('http://localhost', { socketPath: where, bodyTimeout: 0, headersTimeout: 0 });
  const path = `/images/get?names=${encodeURIComponent(image)}`;
  const { body, statusCode } = await client.request({ method: 'GET', path });
  if (statusCode !== 200) throw new Error(`${statusCode}: ${await body.text()}`);
  body.once('close', () => client.close());
  return body;
}

await mkdir(out, { recursive: true });
const unpacked = extract();
const source = await open();
const reading = pipeline(source, new PassThrough(ROOM), unpacked);
for await (const entry of unpacked) {
  if (entry.header.type !== 'file') {
    entry.resume();
    continue;
  }
  const stored = hashing();
  const temporary = join(out, 'incoming');
  const before = bothDigests ? [hashing().transform] : [];
  await pipeline(
    entry,
    ...before,
    ...compressors[codec](),
    stored.transform,
    createWriteStream(temporary, ROOM),
  );
  await rename(temporary, join(out, stored.digest()));
}
await reading;
