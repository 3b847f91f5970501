import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { ResolvedImages, StoredImage } from '../../src/content/image-index.ts';
import type { ContentOptions, OpenOptions } from '../../src/content/source.ts';
import type { ImageStore, StoreTransaction } from '../../src/content/store.ts';
import { isDrayageError } from '../../src/errors.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { imageStoreContract } from '../../src/testing/store-contract.ts';

type Work<T> = (transaction: StoreTransaction) => Promise<T>;

/** A store whose transactions differ in some operations. */
function changing(
  change: (transaction: StoreTransaction) => Partial<StoreTransaction>,
): new () => ImageStore {
  return class extends MemoryStore {
    override async update<T>(work: Work<T>, options?: ContentOptions): Promise<T> {
      return super.update((own) => {
        const kept: StoreTransaction = {
          has: (...given) => own.has(...given),
          open: (...given) => own.open(...given),
          put: (...given) => own.put(...given),
          begin: (...given) => own.begin(...given),
          add: (...given) => own.add(...given),
          remove: (...given) => own.remove(...given),
        };
        return work({ ...kept, ...change(own) });
      }, options);
    }
  };
}

async function bytesOf(store: MemoryStore, blob: Descriptor): Promise<Buffer> {
  return Buffer.concat(await (await MemoryStore.prototype.open.call(store, blob)).toArray());
}

/** Stores that break one promise each. */
const CHEATS: Readonly<Record<string, new () => ImageStore>> = {
  'gives out other bytes': class extends MemoryStore {
    override async open(blob: Descriptor): Promise<Readable> {
      return Readable.from([(await bytesOf(this, blob)).map((byte) => byte ^ 1)], { objectMode: false });
    }
  },
  'gives out fewer bytes': class extends MemoryStore {
    override async open(blob: Descriptor): Promise<Readable> {
      return Readable.from([(await bytesOf(this, blob)).subarray(1)], { objectMode: false });
    }
  },
  'gives out nothing for what it lacks': class extends MemoryStore {
    override async open(blob: Descriptor, options?: OpenOptions): Promise<Readable> {
      return (await super.has(blob)) ? super.open(blob, options) : Readable.from([]);
    }
  },
  'ignores the offset': class extends MemoryStore {
    override async open(blob: Descriptor, options: OpenOptions = {}): Promise<Readable> {
      return super.open(blob, { ...options, offset: 0 });
    }
  },
  'says that it has everything': class extends MemoryStore {
    override async has(): Promise<boolean> {
      return true;
    }
  },
  'says that it has a blob of another size': class extends MemoryStore {
    override async has(blob: Descriptor): Promise<boolean> {
      const all = await super.images();
      const same = all.find(({ root }) => root.digest === blob.digest);
      return super.has(same === undefined ? blob : same.root);
    }
  },
  'ignores signals while it reads': class extends MemoryStore {
    override async has(blob: Descriptor): Promise<boolean> {
      return super.has(blob);
    }
    override async open(blob: Descriptor, { offset }: OpenOptions = {}): Promise<Readable> {
      return super.open(blob, { offset });
    }
  },
  'ignores the signal of an update': class extends MemoryStore {
    override async update<T>(work: Work<T>): Promise<T> {
      return super.update(work);
    }
  },
  'forgets images': class extends MemoryStore {
    override async images(): Promise<StoredImage[]> {
      return [];
    }
  },
  'forgets names': class extends MemoryStore {
    override async images(): Promise<StoredImage[]> {
      return (await super.images()).map((image) => ({ ...image, names: [] }));
    }
  },
  'forgets annotations': class extends MemoryStore {
    override async images(): Promise<StoredImage[]> {
      return (await super.images()).map((image) => ({ ...image, annotations: {} }));
    }
  },
  'resolves any name': class extends MemoryStore {
    override async resolve(reference: string): Promise<ResolvedImages> {
      const [image] = await super.images();
      return image === undefined ? super.resolve(reference) : [image];
    }
  },
  'resolves names only': class extends MemoryStore {
    override async resolve(reference: string): Promise<ResolvedImages> {
      return super.resolve(reference.replace(/^sha256:/, 'absent:'));
    }
  },
  'forgets what refers to an image': class extends MemoryStore {
    override async referrers(): Promise<Descriptor[]> {
      return [];
    }
  },
  'does not list what has referrers': class extends MemoryStore {
    override async subjects(): Promise<ReadonlySet<Digest>> {
      return new Set();
    }
  },
  'says that everything refers to everything': class extends MemoryStore {
    override async referrers(): Promise<Descriptor[]> {
      return (await super.images()).map(({ root }) => root);
    }
  },
  'forgets what an update returns': class extends MemoryStore {
    override async update<T>(work: Work<T>, options?: ContentOptions): Promise<T> {
      await super.update(work, options);
      return undefined as T;
    }
  },
  'keeps what a failed update wrote': class extends MemoryStore {
    override async update<T>(work: Work<T>, options?: ContentOptions): Promise<T> {
      let failure: unknown;
      const result = await super.update(
        (transaction) => work(transaction).catch((error: unknown) => void (failure = error) as T),
        options,
      );
      if (failure !== undefined) throw failure;
      return result;
    }
  },
  'takes images that lack content': class extends MemoryStore {
    override async update<T>(work: Work<T>, options?: ContentOptions): Promise<T> {
      return super.update(work, options).catch((error: unknown) => {
        if (isDrayageError(error, 'INCOMPLETE')) return undefined as T;
        throw error;
      });
    }
  },
  'loses one of two updates at a time': class extends MemoryStore {
    override async update<T>(work: Work<T>, options?: ContentOptions): Promise<T> {
      return super.update(work, options).catch((error: unknown) => {
        if (isDrayageError(error, 'LOCKED')) return undefined as T;
        throw error;
      });
    }
  },
  'takes bytes that are not those of their digest': changing((own) => ({
    put: async (blob, bytes, options) => own.put(blob, bytes, options).catch(() => undefined),
  })),
  'commits a blob as something else': changing((own) => ({
    begin: async (options) => {
      const writer = await own.begin(options);
      return { ...writer, commit: () => writer.commit() };
    },
  })),
  'adds images without names': changing((own) => ({
    add: (root, _names, annotations) => own.add(root, [], annotations),
  })),
  'removes nothing': changing(() => ({ remove: () => {} })),
  'sees in an update only what is written': changing((own) => ({
    has: (blob) => own.has({ ...blob, size: -1 }),
  })),
};

describe('the contract of stores fails for a store that', () => {
  test.each(Object.entries(CHEATS))('%s', async (_, Cheat) => {
    const broken: string[] = [];
    for (const { name, run } of imageStoreContract(async () => new Cheat())) {
      await run().catch(() => broken.push(name));
    }
    expect(broken).not.toEqual([]);
    // It is no store that does nothing at all: other promises hold.
    expect(broken.length).toBeLessThan(imageStoreContract(async () => new Cheat()).length);
  });
});

test('the contract of stores holds for a store that does not cheat', async () => {
  for (const { run } of imageStoreContract(async () => new MemoryStore())) await run();
  const Fair = changing(() => ({}));
  for (const { run } of imageStoreContract(async () => new Fair())) await run();
});
