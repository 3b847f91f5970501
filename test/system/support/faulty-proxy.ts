/** Stands between a client and a real daemon, and spoils the archives that are loaded. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, request as send } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';
import { makeTempFolder, removeTempFolder } from './temp-folders.ts';

/** What is done to an archive. */
export type Fault = (archive: Buffer) => Promise<Buffer> | Buffer;

/** Archives below this size, in bytes, are questions to the daemon: they are left alone. */
const SMALL = 100_000;

/** A proxy on a socket of its own. */
export class FaultyProxy implements AsyncDisposable {
  readonly host: string;
  /** How many archives are spoilt from now on. */
  spoils = 0;
  fault: Fault = (archive) => archive;
  readonly #folder: string;
  readonly #target: string;
  readonly #server: Server;

  private constructor(folder: string, target: string) {
    this.#folder = folder;
    this.#target = target;
    this.host = `unix://${join(folder, 's')}`;
    this.#server = createServer((request, response) => {
      this.#forward(request, response).catch(() => response.destroy());
    });
  }

  /** @param target the socket of the daemon */
  static async start(target: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(await makeTempFolder(), target);
    await new Promise<void>((resolve) => proxy.#server.listen(join(proxy.#folder, 's'), resolve));
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await removeTempFolder(this.#folder);
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url: path = '', headers } = request;
    let body: Buffer = await buffer(request);
    if (path.includes('/images/load') && body.length > SMALL && this.spoils > 0) {
      this.spoils -= 1;
      body = await this.fault(body);
    }
    const type = headers['content-type'] ?? 'application/json';
    const sent = send({
      socketPath: this.#target,
      method,
      path,
      headers: { 'content-type': type, 'content-length': body.length },
    });
    const reply = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve).once('error', reject).end(body);
    });
    response.writeHead(reply.statusCode ?? 500, reply.headers);
    reply.pipe(response);
  }
}

/** The largest file is not in the archive. */
export const withoutLargest: Fault = async (archive) => {
  const entries = await entriesOf(archive);
  const largest = largestOf(entries);
  return archiveOf(entries.filter((entry) => entry !== largest));
};

/** One bit of the largest file is another one. */
export const withBitRot: Fault = async (archive) => {
  const entries = await entriesOf(archive);
  const { bytes } = largestOf(entries);
  bytes[bytes.length - 2000]! ^= 1;
  return archiveOf(entries);
};

/** It ends in the midst of a file. */
export const truncated: Fault = (archive) => archive.subarray(0, Math.floor(archive.length / 2) + 77);

/** It ends behind its first file. */
export const cutBetweenEntries: Fault = async (archive) => archiveOf((await entriesOf(archive)).slice(0, 1));

interface Entry {
  name: string;
  bytes: Buffer;
}

function largestOf(entries: readonly Entry[]): Entry {
  return entries.reduce((a, b) => (b.bytes.length > a.bytes.length ? b : a));
}

async function entriesOf(archive: Buffer): Promise<Entry[]> {
  const entries: Entry[] = [];
  const reader = extract();
  reader.end(archive);
  for await (const entry of reader) entries.push({ name: entry.header.name, bytes: await buffer(entry) });
  return entries;
}

async function archiveOf(entries: readonly Entry[]): Promise<Buffer> {
  const writer = pack();
  const whole = buffer(writer);
  for (const { name, bytes } of entries) writer.entry({ name }, bytes);
  writer.finalize();
  return whole;
}
