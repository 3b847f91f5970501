import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  openSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { OpenOptions } from '../../src/content/source.ts';
import { connectDocker } from '../../src/docker/daemon.ts';
import { DrayageError } from '../../src/errors.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { blobName } from '../../src/oci/layout.ts';
import { Registries } from '../../src/registry/registries.ts';
import { once } from '../../src/stream/tap.ts';
import { load } from '../../src/verbs/load/load.ts';
import { promote } from '../../src/verbs/promote/promote.ts';
import { sign } from '../../src/verbs/sign.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { makeCargo } from '../docker/cargo.ts';
import { tempFolderInMemory } from '../layout/folders.ts';
import type { FakeOptions } from '../support/fake-daemon.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { FakeRegistry } from '../support/fake-registry.ts';

/** Several reads long. */
const SIZE = 1_300_000;

/** What another process does to a file whose bytes are known. */
const ATTACKS: Record<string, (path: string, bytes: Buffer) => void> = {
  'is replaced': (path) => {
    writeFileSync(`${path}.new`, randomBytes(statSync(path).size));
    renameSync(`${path}.new`, path);
  },
  'is truncated': (path) => truncateSync(path, statSync(path).size - 600_000),
  'is appended to': (path) => appendFileSync(path, 'more'),
  'is rewritten in place, with its time set back': (path, bytes) => {
    const { atime, mtime } = statSync(path);
    const file = openSync(path, 'r+');
    // The last byte: it has not been read before the last read.
    writeSync(file, Buffer.from([(bytes.at(-1) ?? 0) ^ 1]), 0, 1, bytes.length - 1);
    closeSync(file);
    utimesSync(path, atime, mtime);
  },
};

/** What a receiver got, and the names that are set in it. */
interface Outcome {
  received: readonly Uint8Array[];
  named: readonly string[];
}

/** Brings the image of a layout somewhere. */
type Receive = (layout: Layout) => Promise<{ run: () => Promise<unknown>; outcome: () => Promise<Outcome> }>;

function intoDaemon(kind: NonNullable<FakeOptions['kind']>): Receive {
  return async (layout) => {
    const fake = await FakeDaemon.start({ kind });
    const received: Buffer[] = [];
    fake.handlers.set('POST /images/load', async (request, response) => {
      const chunks: Buffer[] = [];
      request
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => received.push(Buffer.concat(chunks)));
      await fake.serve(request, response);
    });
    const run = async (): Promise<void> => {
      await using to = await connectDocker({ host: fake.host });
      await load({ from: [layout], to });
    };
    return { run, outcome: async () => ({ received, named: fake.images.flatMap(({ names }) => names) }) };
  };
}

const RECEIVERS: Record<string, Receive> = {
  'docker with its own store': intoDaemon('graph'),
  'docker with a containerd store': intoDaemon('containerd'),
  podman: intoDaemon('podman'),
  'a registry': async (layout) => {
    const fake = await FakeRegistry.start();
    const run = async (): Promise<void> => {
      await using registries = new Registries();
      await promote({ from: [layout], promotions: [{ to: [`${fake.host}/app:1`] }], registries });
    };
    const { blobs, tags } = fake.store.repository('app');
    return { run, outcome: async () => ({ received: [...blobs.values()], named: [...tags.keys()] }) };
  },
};

/** A layout whose layer is attacked when it is opened for the n-th time: before its first byte is read, or after it. */
function attacked(
  layout: Layout,
  blob: Descriptor,
  { opening, isMidway, attack }: { opening: number; isMidway: boolean; attack: () => void },
): { layout: Layout; opened: () => number; read: Buffer[] } {
  let opened = 0;
  const read: Buffer[] = [];
  const open = async (descriptor: Descriptor, options?: OpenOptions): Promise<Readable> => {
    if (descriptor.digest !== blob.digest) return layout.open(descriptor, options);
    const isIts = ++opened === opening;
    if (isIts && !isMidway) attack();
    const bytes = await layout.open(descriptor, options);
    return Readable.from(watched(bytes, isIts && isMidway ? attack : undefined), { objectMode: false });
  };
  /** Notes what was read to its end. */
  async function* watched(bytes: AsyncIterable<Uint8Array>, act?: () => void): AsyncGenerator<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytes) {
      chunks.push(Uint8Array.from(chunk));
      if (chunks.length === 1) act?.();
      yield chunk;
    }
    read.push(Buffer.concat(chunks));
  }
  const proxy = new Proxy(layout, {
    get: (target, name) => {
      if (name === 'open') return open;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { layout: proxy, opened: () => opened, read };
}

async function layoutOf({ root, source }: TestCargo): Promise<Layout> {
  const layout = await Layout.create(tempFolderInMemory());
  await layout.update(async (content) => {
    for (const [digest, bytes] of source.blobs)
      await content.put({ mediaType: 'application/octet-stream', digest, size: bytes.length }, once(bytes));
    content.add(root, ['app:1'], {});
  });
  return layout;
}

/** An image that no test before has proven. */
function newImage(compress: boolean): { cargo: TestCargo; blob: Descriptor; bytes: Buffer } {
  const cargo = makeCargo({ layers: [randomBytes(SIZE)], compress });
  const [blob = expect.fail()] = cargo.layers;
  return { cargo, blob, bytes: Buffer.from(cargo.source.blobs.get(blob.digest) ?? expect.fail()) };
}

const MOMENTS = [1, 2].flatMap((opening) => [false, true].map((isMidway) => ({ opening, isMidway })));

describe.each([true, false])(
  'where a layer (compressed: %s) changes between its hash and its way',
  (compress) => {
    test.each(
      Object.entries(RECEIVERS).flatMap(([to, receive]) =>
        Object.entries(ATTACKS).map(([what, attack]) => [to, what, receive, attack] as const),
      ),
    )('%s gets what was hashed, or no name is set: it %s', async (_to, _what, receive, attack) => {
      let moments = 0;
      for (const moment of MOMENTS) {
        const { cargo, blob, bytes } = newImage(compress);
        const stored = await layoutOf(cargo);
        const path = join(stored.path, blobName(blob.digest));
        const { layout, opened } = attacked(stored, blob, { ...moment, attack: () => attack(path, bytes) });
        const { run, outcome } = await receive(layout);
        const failure = await run().then(
          () => undefined,
          (error: unknown) => error,
        );
        const { received, named } = await outcome();
        if (opened() >= moment.opening) moments += 1;
        if (failure === undefined) {
          const whole = [bytes, compress ? gunzipSync(bytes) : bytes];
          expect(received.some((body) => whole.some((one) => Buffer.from(body).includes(one)))).toBe(true);
        } else {
          expect(failure).toBeInstanceOf(DrayageError);
          expect(named).toEqual([]);
        }
      }
      expect(moments).toBeGreaterThan(1);
    });

    test.each(Object.entries(ATTACKS))(
      'no signature is made of what was not read as it is: it %s',
      async (_, attack) => {
        for (const moment of MOMENTS.slice(0, 2)) {
          const { cargo, blob, bytes } = newImage(compress);
          const stored = await layoutOf(cargo);
          const path = join(stored.path, blobName(blob.digest));
          const { layout, read } = attacked(stored, blob, { ...moment, attack: () => attack(path, bytes) });
          const signing = sign({ layout, statement: () => Buffer.from('{}'), sign: async (made) => made });
          const failure = await signing.then(
            () => undefined,
            (error: unknown) => error,
          );
          if (failure === undefined) expect(read.some((one) => one.equals(bytes))).toBe(true);
          else expect(failure).toBeInstanceOf(DrayageError);
          expect(await stored.referrers(cargo.root)).toHaveLength(failure === undefined ? 1 : 0);
        }
      },
    );
  },
);
