import { Readable } from 'node:stream';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SaveArchiveOptions } from '../../../../src/content/endpoint.ts';
import { DrayageError } from '../../../../src/errors.ts';
import { Layout } from '../../../../src/layout/layout.ts';
import type { ProgressEvent } from '../../../../src/progress.ts';
import { save } from '../../../../src/verbs/save/save.ts';
import { verify } from '../../../../src/verbs/verify/verify.ts';
import type { TestCargo } from '../../../docker/cargo.ts';
import { makeCargo } from '../../../docker/cargo.ts';
import { json } from '../../../support/archives/images.ts';
import { entry, tar } from '../../../support/archives/tar-bytes.ts';
import { MemoryEndpoint } from '../../../support/memory-endpoint.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const BASE = makeCargo({ layers: ['base', 'app'], compress: false });
const IMAGE = makeCargo({ layers: ['base', 'tools'], compress: false });
const OTHER = makeCargo({ layers: ['other'], compress: false });

/** An image as an OCI layout in a tar, without some of its blobs. */
function archiveOf({ root, source }: TestCargo, lacks: ReadonlySet<string>): Buffer {
  const sent = [...source.blobs].filter(([digest]) => !lacks.has(digest));
  return tar(
    entry('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    entry('index.json', json({ schemaVersion: 2, manifests: [root] })),
    ...sent.map(([digest, bytes]) => entry(`blobs/sha256/${digest.slice(7)}`, Buffer.from(bytes))),
  );
}

/** A daemon that asks which blobs are held, if it is told whom to ask, and leaves them out. */
class DeltaEndpoint extends MemoryEndpoint {
  /** For each request, how many blobs were left out; `whole` where nobody was there to ask. */
  readonly requests: (number | 'whole')[] = [];
  /** What goes wrong with an archive that lacks blobs. */
  fault: ((archive: Buffer) => Buffer) | undefined;

  override async save(id: string, { held }: SaveArchiveOptions = {}): Promise<Readable> {
    const image = [BASE, IMAGE, OTHER].find(({ configDigest }) => configDigest === id) ?? expect.fail();
    const lacks = await held?.([...image.layers]);
    this.requests.push(lacks?.size ?? 'whole');
    const archive = archiveOf(image, lacks ?? new Set());
    return Readable.from([lacks === undefined ? archive : (this.fault?.(archive) ?? archive)]);
  }
}

let daemon: DeltaEndpoint;
let layout: Layout;
beforeEach(async () => {
  daemon = new DeltaEndpoint();
  await daemon.hold(BASE.root, BASE.source, ['base:1']);
  await daemon.hold(IMAGE.root, IMAGE.source, ['image:1']);
  await daemon.hold(OTHER.root, OTHER.source, ['other:1']);
  layout = await Layout.create(`${await temporaryFolder()}/layout`);
});

const cut = (archive: Buffer): Buffer => archive.subarray(0, 1000);
const fail = (code: 'DAEMON' | 'UNREACHABLE') => (): never => {
  throw new DrayageError(code, 'no');
};

async function saved(image: string): Promise<{ statuses?: string[]; code?: string; notes: number }> {
  let notes = 0;
  const onProgress = ({ kind }: ProgressEvent): void => void (notes += kind === 'note' ? 1 : 0);
  try {
    const { images } = await save({ from: daemon, images: [image], to: layout, onProgress });
    return { statuses: images[0]?.layers.map(({ status }) => status), notes };
  } catch (error) {
    return { code: (error as DrayageError).code, notes };
  }
}

const done = (statuses: string, notes = 0) => ({ statuses: statuses.split(' '), notes });

describe('an image of a daemon', () => {
  interface Case {
    plan: string;
    /** What the layout holds before. */
    before: string[];
    fault?: DeltaEndpoint['fault'];
    requests: DeltaEndpoint['requests'];
    result: Awaited<ReturnType<typeof saved>>;
  }

  const cases: Case[] = [
    {
      plan: 'that is held whole is not asked for',
      before: ['image:1'],
      requests: [],
      result: done('reused reused'),
    },
    {
      plan: 'comes whole where nothing is held',
      before: [],
      requests: ['whole'],
      result: done('written written'),
    },
    {
      plan: 'comes without the blobs that are held',
      before: ['base:1'],
      requests: [1],
      result: done('reused written'),
    },
    {
      plan: 'comes whole after an archive without the held blobs that is cut off, and that is said',
      before: ['base:1'],
      fault: cut,
      requests: [1, 'whole'],
      result: done('reused written', 1),
    },
    {
      plan: 'comes whole after a refused request for what is not held, and that is said',
      before: ['base:1'],
      fault: fail('DAEMON'),
      requests: [1, 'whole'],
      result: done('reused written', 1),
    },
    {
      plan: 'is not asked for again where the daemon is gone',
      before: ['base:1'],
      fault: fail('UNREACHABLE'),
      requests: [1],
      result: { code: 'UNREACHABLE', notes: 0 },
    },
    {
      plan: 'is not asked for again where nothing was left out',
      before: ['other:1'],
      fault: cut,
      requests: [0],
      result: { code: 'TRUNCATED', notes: 0 },
    },
  ];

  test.each(cases)('$plan', async ({ before, fault, requests, result }) => {
    for (const name of before) await saved(name);
    daemon.requests.length = 0;
    daemon.fault = fault;
    expect(await saved('image:1')).toEqual(result);
    expect(daemon.requests).toEqual(requests);
    expect((await verify({ layout })).problems).toEqual([]);
  });
});
