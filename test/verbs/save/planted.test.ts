import { describe, expect, test } from 'vitest';
import { OMITTED_LAYERS } from '../../../src/image/annotations.ts';
import { Layout } from '../../../src/layout/layout.ts';
import { BASE_NAME } from '../../../src/oci/annotations.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { buildIndex } from '../../../src/oci/image-index.ts';
import type { Document } from '../../../src/oci/manifest.ts';
import { buildManifest, toDocument } from '../../../src/oci/manifest.ts';
import { OCI_CONFIG, OCI_LAYER, OCI_MANIFEST } from '../../../src/oci/media-types.ts';
import { once } from '../../../src/stream/tap.ts';
import type { SaveOptions, SaveResult } from '../../../src/verbs/save/options.ts';
import { save } from '../../../src/verbs/save/save.ts';
import { verify } from '../../../src/verbs/verify/verify.ts';
import type { TestCargo } from '../../docker/cargo.ts';
import { makeCargo } from '../../docker/cargo.ts';
import { MemoryContent } from '../../support/memory-content.ts';
import { MemoryEndpoint } from '../../support/memory-endpoint.ts';
import { MemoryRegistry } from '../../support/memory-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NAME = 'registry.example/base:1';

let count = 0;

/** An image on a base, of layers that no other test has: what is proven stays proven for the whole process. */
function victim(): { base: TestCargo; app: TestCargo } {
  const texts = [`base ${count++}`, `middle ${count}`];
  return { base: makeCargo({ layers: texts }), app: makeCargo({ layers: [...texts, `app ${count}`] }) };
}

function configOf({ source, configDigest }: TestCargo): Descriptor {
  const size = source.blobs.get(configDigest)?.length ?? expect.fail('no config');
  return { mediaType: OCI_CONFIG, digest: configDigest, size };
}

/** The image under another document, whose blobs are all the image's own. */
function under(cargo: TestCargo, { descriptor, bytes }: Document): TestCargo {
  const others = [...cargo.source.blobs].filter(([digest]) => digest !== cargo.root.digest);
  const source = new MemoryContent([...others.map(([, blob]) => blob), bytes]);
  return { ...cargo, root: descriptor, source };
}

/** A manifest that states more of its layers than their digest, size and type. */
function over(cargo: TestCargo, change: (layer: Descriptor) => object): Document {
  const layers = cargo.layers.map(change);
  const document = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: configOf(cargo), layers };
  return toDocument(OCI_MANIFEST, JSON.stringify(document));
}

/** A layout as an attacker writes it, with an image's very documents and blobs. */
async function planted(
  { source, root }: TestCargo,
  annotations: Record<string, string> = {},
  without: readonly Descriptor[] = [],
): Promise<Layout> {
  const absent = new Set(without.map(({ digest }) => digest));
  const layout = await Layout.create(`${await temporaryFolder()}/planted`);
  await layout.update(async (content) => {
    for (const [digest, bytes] of source.blobs) {
      const blob = { mediaType: 'application/octet-stream', digest, size: bytes.length };
      if (!absent.has(digest)) await content.put(blob, once(bytes));
    }
    content.add(root, ['planted:1'], annotations);
  });
  return layout;
}

/** Saves an image out of a daemon whose IDs are digests of configs. */
async function saved(app: TestCargo, options: Partial<SaveOptions> & { to: Layout }): Promise<SaveResult> {
  const daemon = new MemoryEndpoint();
  await daemon.hold(app.root, app.source, ['app:1']);
  return save({ images: ['app:1'], compress: 'gzip', ...options, from: daemon });
}

/** A blob that nobody has in place of a layer's. */
const elsewhere = (layer: Descriptor): Descriptor => ({
  ...layer,
  digest: digestOf(Buffer.from(`not ${layer.digest}`)),
});

const newLayout = async (): Promise<Layout> => Layout.create(`${await temporaryFolder()}/new`);
const statuses = ({ images }: SaveResult): string[] =>
  images.flatMap(({ layers }) => layers.map(({ status }) => status));

describe('a manifest over the very layers of an image, in the layout that is saved into', () => {
  const manifests: [string, (app: TestCargo) => Document][] = [
    [
      'with annotations',
      (app) =>
        buildManifest(configOf(app), app.layers, {
          annotations: { 'org.opencontainers.image.source': 'https://attacker.example' },
        }),
    ],
    ['with a subject', (app) => buildManifest(configOf(app), app.layers, { subject: app.root })],
    ['with an artifact type', (app) => buildManifest(configOf(app), app.layers, { artifactType: 'a/b' })],
    ['with addresses of layers', (app) => over(app, (layer) => ({ ...layer, urls: ['https://x.example'] }))],
    ['with annotated layers', (app) => over(app, (layer) => ({ ...layer, annotations: { a: 'b' } }))],
    ['that calls layers uncompressed', (app) => over(app, (layer) => ({ ...layer, mediaType: OCI_LAYER }))],
    [
      'that calls layers non-distributable',
      (app) =>
        over(app, (layer) => ({
          ...layer,
          mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
        })),
    ],
  ];

  test.each(manifests)('%s is not what a save keeps: only its layers count', async (_, make) => {
    const { app } = victim();
    const manifest = make(app);
    const hidden = under(app, manifest);
    const { descriptor: root, bytes } = buildIndex([manifest.descriptor]);
    const source = new MemoryContent([...hidden.source.blobs.values(), bytes]);
    const layout = await planted({ ...hidden, root, source });
    const result = await saved(app, { to: layout });
    expect(statuses(result)).toEqual(['reused', 'reused', 'reused']);
    expect(result.images).toMatchObject([{ id: app.configDigest, digest: app.root.digest }]);
    const [found] = await layout.resolve('app:1');
    expect(found.root.digest).toBe(app.root.digest);
    expect((await verify({ layout })).problems).toEqual([]);
  });

  test('that a save would write is kept, and nothing is asked of the daemon', async () => {
    const { app } = victim();
    const layout = await planted(app);
    const daemon = new MemoryEndpoint();
    await daemon.hold(app.root, app.source, ['app:1']);
    const { images } = await save({ images: ['app:1'], from: daemon, to: layout });
    expect(images).toMatchObject([{ digest: app.root.digest }]);
    expect(daemon.saves).toEqual([]);
  });

  test('whose layers are absent, because it calls them non-distributable, is not the image', async () => {
    const { app } = victim();
    const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
    const manifest = over(app, (layer) => ({ ...layer, mediaType }));
    const layout = await planted(under(app, manifest), {}, app.layers);
    const result = await saved(app, { to: layout });
    expect(statuses(result)).toEqual(['written', 'written', 'written']);
    expect((await verify({ layout })).nonDistributable).toHaveLength(3);
    await layout.update(async (content) => content.remove(manifest.descriptor.digest));
    expect(await verify({ layout })).toMatchObject({ problems: [], nonDistributable: [] });
  });
});

describe('a base layout that says that it omits the layers itself', () => {
  const said = { [OMITTED_LAYERS]: '2', [BASE_NAME]: 'docker.io/attacker/x' };

  test.each([
    ['under blobs that nobody has', (base: TestCargo) => over(base, elsewhere)],
    ['under the very blobs of the image', (base: TestCargo) => buildManifest(configOf(base), base.layers)],
  ])('%s omits none, and names no base', async (_, make) => {
    const { base, app } = victim();
    const baseLayout = await planted(under(base, make(base)), said, base.layers);
    const layout = await newLayout();
    const result = await saved(app, { to: layout, baseLayouts: [baseLayout] });
    expect(statuses(result)).toEqual(['written', 'written', 'written']);
    const [{ annotations }] = await layout.resolve('app:1');
    expect(annotations).not.toHaveProperty(OMITTED_LAYERS);
    expect(annotations).not.toHaveProperty([BASE_NAME]);
    expect(await verify({ layout })).toMatchObject({ problems: [], omitted: { layers: 0 } });
  });

  test('omits what a named base has, and names that one', async () => {
    const { base, app } = victim();
    const registry = new MemoryRegistry();
    registry.push(NAME, base.root, base.source);
    const baseLayout = await planted(base, said, base.layers);
    const layout = await newLayout();
    const result = await saved(app, {
      to: layout,
      baseLayouts: [baseLayout],
      thin: { when: 'always', openRepository: registry.open, asked: [NAME] },
    });
    expect(statuses(result)).toEqual(['omitted', 'omitted', 'written']);
    const [{ annotations }] = await layout.resolve('app:1');
    expect(annotations).toMatchObject({ [OMITTED_LAYERS]: '2', [BASE_NAME]: NAME });
  });
});

test('a base layout that misstates what its layers are is not taken at its word', async () => {
  const { base, app } = victim();
  const manifest = over(base, (layer) => ({ ...layer, mediaType: OCI_LAYER }));
  const layout = await newLayout();
  const result = await saved(app, { to: layout, baseLayouts: [await planted(under(base, manifest))] });
  expect(statuses(result)).toEqual(['omitted', 'omitted', 'written']);
  expect(result.images[0]?.layers.map(({ mediaType }) => mediaType)).toEqual(
    base.layers.map(({ mediaType }) => mediaType).concat(`${OCI_LAYER}+gzip`),
  );
});
