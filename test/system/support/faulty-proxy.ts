import type { IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';
import type { Forwarded } from './daemon-proxy.ts';
import { DaemonProxy } from './daemon-proxy.ts';

/** What is done to an archive. */
export type Fault = (archive: Buffer) => Promise<Buffer> | Buffer;

/** Archives below this size, in bytes, are questions to the daemon: they are left alone. */
const SMALL = 100_000;

/** Spoils the archives that are loaded. */
export class FaultyProxy extends DaemonProxy {
  /** How many archives are spoilt from now on. */
  spoils = 0;
  fault: Fault = (archive) => archive;

  /** @param target the socket of the daemon */
  static async start(target: string): Promise<FaultyProxy> {
    return DaemonProxy.open((folder) => new FaultyProxy(folder, target));
  }

  protected override async change(request: IncomingMessage): Promise<Forwarded> {
    let body: Buffer = await buffer(request);
    if (request.url?.includes('/images/load') === true && body.length > SMALL && this.spoils > 0) {
      this.spoils -= 1;
      body = await this.fault(body);
    }
    const type = request.headers['content-type'] ?? 'application/json';
    return { body, headers: { 'content-type': type, 'content-length': body.length } };
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
