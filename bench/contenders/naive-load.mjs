// What one writes first: every gzip layer unpacked to learn its size, packed with tar-stream and sent with undici. Checks
// no digest, before or after.
//
//   node naive-load.mjs LAYOUT SOCKET
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { Client, request } from 'undici';

const [layout, socketPath] = process.argv.slice(2);
const manifest = await readFile(join(layout, 'manifest.json'));
const tar = pack();

async function sizeOf(path) {
  let size = 0;
  for await (const chunk of createReadStream(path).pipe(createGunzip())) size += chunk.length;
  return size;
}

async function fill() {
  const [{ Config, Layers }] = JSON.parse(manifest);
  tar.entry({ name: Config }, await readFile(join(layout, Config)));
  for (const name of Layers) {
    const path = join(layout, name);
    const entry = tar.entry({ name, size: await sizeOf(path) });
    await pipeline(createReadStream(path), createGunzip(), entry);
  }
  tar.entry({ name: 'manifest.json' }, manifest);
  tar.finalize();
}

const client = new Client('http://localhost', { socketPath, bodyTimeout: 0, headersTimeout: 0 });
const headers = { 'content-type': 'application/x-tar' };
async function send() {
  const options = { method: 'POST', headers, body: tar, dispatcher: client };
  const { body, statusCode } = await request('http://localhost/images/load', options);
  return `${statusCode}: ${await body.text()}`;
}

const [reply] = await Promise.all([send(), fill()]);
await client.close();
if (!reply.startsWith('200') || reply.includes('"errorDetail"')) throw new Error(reply);
