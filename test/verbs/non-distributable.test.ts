import { describe, expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { once } from '../../src/stream/tap.ts';
import { exportArchive } from '../../src/verbs/export.ts';
import { inspect } from '../../src/verbs/inspect.ts';
import { load } from '../../src/verbs/load/load.ts';
import { save } from '../../src/verbs/save/save.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { MemoryEndpoint } from '../support/memory-endpoint.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const URL = 'https://layers.example/windows.tar.gz';
const FOREIGN = Buffer.from('a layer that only its author may hand out');

function describeBlob(bytes: Buffer, mediaType: string, urls?: string[]): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length, ...(urls && { urls }) };
}

/** An image over one layer that is here, and one that may not be distributed. Default: that one is absent. */
async function layoutWithForeignLayer(isPresent = false): Promise<Layout> {
  const layout = await Layout.create(`${await temporaryFolder()}/layout`);
  const own = Buffer.alloc(1024);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [digestOf(own), digestOf(FOREIGN)] },
    }),
  );
  const layers = [
    describeBlob(own, 'application/vnd.oci.image.layer.v1.tar'),
    describeBlob(FOREIGN, 'application/vnd.oci.image.layer.nondistributable.v1.tar', [URL]),
  ];
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const described = describeBlob(config, 'application/vnd.oci.image.config.v1+json');
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: type, config: described, layers }),
  );
  await layout.update(async (content) => {
    await content.put(layers[0] ?? expect.fail(), once(own));
    if (isPresent) await content.put(layers[1] ?? expect.fail(), once(FOREIGN));
    await content.put(described, once(config));
    await content.put(describeBlob(manifest, type), once(manifest));
    content.add(describeBlob(manifest, type), ['app:1'], {});
  });
  return layout;
}

describe('an absent non-distributable layer', () => {
  test('is named with its address by load and by an archive', async () => {
    const layout = await layoutWithForeignLayer();
    const refused = {
      code: 'NOT_FOUND',
      message: expect.stringContaining(`of app:1 is not distributable and absent: it is at ${URL}`),
    };
    const daemon = new MemoryEndpoint();
    await expect(load({ from: [layout], to: daemon })).rejects.toMatchObject(refused);
    expect(daemon.held).toEqual([]);
    const archive = await exportArchive({ from: [layout] });
    const read = async (): Promise<void> => {
      for await (const _ of archive);
    };
    await expect(read()).rejects.toMatchObject(refused);
  });

  test('is no problem of the layout, and verify says where it is', async () => {
    const layout = await layoutWithForeignLayer();
    const copy = await Layout.create(`${await temporaryFolder()}/copy`);
    await save({ from: layout, to: copy });
    for (const one of [layout, copy])
      expect(await verify({ layout: one })).toMatchObject({
        problems: [],
        nonDistributable: [{ digest: digestOf(FOREIGN), urls: [URL] }],
      });
  });

  test('is told by inspect with its address, and its bytes are not among the stored ones', async () => {
    const layout = await layoutWithForeignLayer();
    const { images, bytes } = await inspect({ from: [layout] });
    const [own, foreign] = images[0]?.layers ?? [];
    expect([own?.nonDistributable, foreign?.nonDistributable]).toEqual([undefined, { urls: [URL] }]);
    expect(foreign).toMatchObject({ omitted: false, missing: false, size: FOREIGN.length });
    expect(bytes).toEqual({ stored: own?.size, unshared: own?.size, omitted: 0 });
  });

  test('is stored where it is present, and then it is a layer like any other', async () => {
    const { images, bytes } = await inspect({ from: [await layoutWithForeignLayer(true)] });
    expect(images[0]?.layers[1]).not.toHaveProperty('nonDistributable');
    expect(bytes.stored).toBe(1024 + FOREIGN.length);
  });
});
