import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ContentSink } from '../../src/content/sink.ts';
import type { ContentSource } from '../../src/content/source.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestAlgorithm, digestHex } from '../../src/oci/digest.ts';
import type { PlaceUnderTest } from '../../src/testing/content-contract.ts';
import { chunksOf, describeBytes } from '../../src/testing/sample-images.ts';
import { contentSinkContract, contentSourceContract } from '../contract/content.ts';
import { MemoryContent } from '../support/memory-content.ts';
import { tempFolder } from './folders.ts';

/** A layout on disk with these blobs, written by hand. */
async function layoutWith(blobs: Uint8Array[], damaged: [Descriptor, Uint8Array][] = []): Promise<Layout> {
  const path = join(tempFolder(), 'layout');
  mkdirSync(path);
  const files = [
    ...blobs.map((bytes): [Descriptor, Uint8Array] => [describeBytes(bytes), bytes]),
    ...damaged,
  ];
  for (const [{ digest }, bytes] of files) {
    const file = join(path, 'blobs', digestAlgorithm(digest), digestHex(digest));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
  writeFileSync(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(path, 'index.json'), '{"schemaVersion":2,"manifests":[]}');
  return Layout.open(path);
}

/** A transaction of this layout that goes on until the test is over. */
async function transactionOf(
  layout: Layout,
  staged: Uint8Array[] = [],
): Promise<PlaceUnderTest<ContentSink & ContentSource>> {
  return new Promise((resolve, reject) => {
    const update = layout.update(async (transaction) => {
      for (const bytes of staged) await transaction.put(describeBytes(bytes), chunksOf(bytes));
      await new Promise<void>((finish) => {
        resolve({
          place: transaction,
          close: async () => {
            finish();
            await update;
          },
        });
      });
    });
    update.catch(reject);
  });
}

contentSourceContract('a layout', async (blobs, damaged) => ({ place: await layoutWith(blobs, damaged) }));
contentSourceContract('a transaction over stored content', async (blobs, damaged) =>
  transactionOf(await layoutWith(blobs, damaged)),
);
contentSourceContract('a transaction over staged content', async (blobs, damaged) =>
  transactionOf(await layoutWith([], damaged), blobs),
);
contentSourceContract('memory', async (blobs, damaged) => {
  const place = new MemoryContent(blobs);
  for (const [{ digest }, bytes] of damaged) place.blobs.set(digest, bytes);
  return { place };
});

contentSinkContract('a transaction', async (blobs) => transactionOf(await layoutWith(blobs)));
contentSinkContract('memory', async (blobs) => ({ place: new MemoryContent(blobs) }));
