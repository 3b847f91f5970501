import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readArchive } from '../../src/archive/read/read.ts';
import type { ImagePlace } from '../../src/content/image-index.ts';
import { isDrayageError } from '../../src/errors.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { blobName } from '../../src/oci/layout.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { select } from '../../src/select/select.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { layoutFiles } from '../gitlab/artifacts.ts';
import { MemoryContent } from '../support/archives/memory-content.ts';
import { plainIngest } from '../support/archives/plain-ingest.ts';
import { inChunks } from '../support/archives/read-bytes.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

type DocumentName = 'index.json' | 'index' | 'manifest' | 'config';
type Type = 'text' | 'number' | 'truth' | 'list' | 'object';
/** A property by its path in a document. `required`: nothing may stand for it. `counted`: an empty list contradicts the config. */
interface Field {
  in: DocumentName;
  path: (string | number)[];
  type: Type;
  is?: 'required' | 'counted';
}
type Json = Record<string, unknown>;

const descriptorFields = (document: DocumentName, ...path: Field['path']): Field[] => [
  { in: document, path: [...path, 'mediaType'], type: 'text', is: 'required' },
  { in: document, path: [...path, 'digest'], type: 'text', is: 'required' },
  { in: document, path: [...path, 'size'], type: 'number', is: 'required' },
  { in: document, path: [...path, 'annotations'], type: 'object' },
  { in: document, path: [...path, 'annotations', 'note'], type: 'text' },
  { in: document, path: [...path, 'platform'], type: 'object' },
  { in: document, path: [...path, 'platform', 'os'], type: 'text' },
  { in: document, path: [...path, 'platform', 'architecture'], type: 'text' },
  { in: document, path: [...path, 'platform', 'variant'], type: 'text' },
  { in: document, path: [...path, 'platform', 'os.version'], type: 'text' },
  { in: document, path: [...path, 'artifactType'], type: 'text' },
  { in: document, path: [...path, 'urls'], type: 'list' },
  { in: document, path: [...path, 'data'], type: 'text' },
];

const FIELDS: Field[] = [
  ...descriptorFields('index.json'),
  { in: 'index', path: ['schemaVersion'], type: 'number' },
  { in: 'index', path: ['mediaType'], type: 'text' },
  { in: 'index', path: ['artifactType'], type: 'text' },
  { in: 'index', path: ['manifests'], type: 'list', is: 'counted' },
  ...descriptorFields('index', 'manifests', 0),
  { in: 'index', path: ['annotations'], type: 'object' },
  { in: 'index', path: ['annotations', 'note'], type: 'text' },
  { in: 'index', path: ['subject'], type: 'object' },
  { in: 'manifest', path: ['schemaVersion'], type: 'number' },
  { in: 'manifest', path: ['mediaType'], type: 'text' },
  { in: 'manifest', path: ['artifactType'], type: 'text' },
  { in: 'manifest', path: ['config'], type: 'object', is: 'required' },
  ...descriptorFields('manifest', 'config'),
  { in: 'manifest', path: ['layers'], type: 'list', is: 'counted' },
  { in: 'manifest', path: ['layers', 0], type: 'object', is: 'required' },
  ...descriptorFields('manifest', 'layers', 0),
  { in: 'manifest', path: ['annotations'], type: 'object' },
  { in: 'manifest', path: ['annotations', 'note'], type: 'text' },
  { in: 'manifest', path: ['subject'], type: 'object' },
  { in: 'config', path: ['architecture'], type: 'text' },
  { in: 'config', path: ['os'], type: 'text' },
  { in: 'config', path: ['variant'], type: 'text' },
  { in: 'config', path: ['os.version'], type: 'text' },
  { in: 'config', path: ['os.features'], type: 'list' },
  { in: 'config', path: ['created'], type: 'text' },
  { in: 'config', path: ['author'], type: 'text' },
  { in: 'config', path: ['comment'], type: 'text' },
  { in: 'config', path: ['docker_version'], type: 'text' },
  { in: 'config', path: ['config'], type: 'object' },
  { in: 'config', path: ['config', 'User'], type: 'text' },
  { in: 'config', path: ['config', 'ExposedPorts'], type: 'object' },
  { in: 'config', path: ['config', 'Env'], type: 'list' },
  { in: 'config', path: ['config', 'Volumes'], type: 'object' },
  { in: 'config', path: ['config', 'WorkingDir'], type: 'text' },
  { in: 'config', path: ['config', 'StopSignal'], type: 'text' },
  { in: 'config', path: ['config', 'StopTimeout'], type: 'number' },
  { in: 'config', path: ['config', 'ArgsEscaped'], type: 'truth' },
  { in: 'config', path: ['config', 'OnBuild'], type: 'list' },
  { in: 'config', path: ['config', 'Healthcheck'], type: 'object' },
  { in: 'config', path: ['config', 'Healthcheck', 'Test'], type: 'list' },
  { in: 'config', path: ['config', 'Healthcheck', 'Interval'], type: 'number' },
  { in: 'config', path: ['config', 'Healthcheck', 'Retries'], type: 'number' },
  { in: 'config', path: ['config', 'Labels'], type: 'object' },
  { in: 'config', path: ['config', 'Labels', 'note'], type: 'text' },
  { in: 'config', path: ['rootfs'], type: 'object', is: 'counted' },
  { in: 'config', path: ['rootfs', 'type'], type: 'text' },
  { in: 'config', path: ['rootfs', 'diff_ids'], type: 'list', is: 'counted' },
  { in: 'config', path: ['rootfs', 'diff_ids', 0], type: 'text', is: 'required' },
  { in: 'config', path: ['history'], type: 'list' },
  { in: 'config', path: ['history', 0], type: 'object' },
  { in: 'config', path: ['history', 0, 'created_by'], type: 'text' },
  { in: 'config', path: ['history', 0, 'created'], type: 'text' },
  { in: 'config', path: ['history', 0, 'author'], type: 'text' },
  { in: 'config', path: ['history', 0, 'comment'], type: 'text' },
  { in: 'config', path: ['history', 0, 'empty_layer'], type: 'truth' },
];

/** What may stand in place of a value: nothing at all, or a value of each type. */
const NOTHING: readonly unknown[] = [null, '', {}, [], undefined];
const OTHERS: Readonly<Record<Type, unknown>> = {
  text: 'x',
  number: 7.5,
  truth: true,
  list: ['x'],
  object: { x: 'x' },
};

/** An image, one of whose documents is changed. */
interface Odd extends Pick<Field, 'in'> {
  name: string;
  change: (document: Json) => Json;
}

const LAYER = Buffer.from('layer');
const LAYER_BLOB = describeBytes(LAYER, OCI_LAYER);

type Stored = [Descriptor, Uint8Array];

/** The blobs of an image, one of whose documents has another value in a place, and its entry. */
function oddImage({ in: document, change, name }: Odd): {
  blobs: [Stored, Stored, ...Stored[]];
  entry: Json;
} {
  const platform = { os: 'linux', architecture: 'amd64' };
  const annotations = { note: name };
  const write = (as: DocumentName, json: Json, mediaType: string): Stored => {
    const bytes = Buffer.from(JSON.stringify(as === document ? change(json) : json));
    return [describeBytes(bytes, mediaType), bytes];
  };
  const config = write(
    'config',
    {
      ...platform,
      created: '2024-01-01T00:00:00Z',
      config: { Labels: annotations },
      rootfs: { type: 'layers', diff_ids: [LAYER_BLOB.digest] },
      history: [{ created_by: 'COPY', empty_layer: false }],
    },
    OCI_CONFIG,
  );
  const layers = [{ ...LAYER_BLOB, annotations, platform }];
  const manifest = write(
    'manifest',
    {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { ...config[0], platform, annotations },
      layers,
      annotations,
    },
    OCI_MANIFEST,
  );
  const manifests = [{ ...manifest[0], platform, annotations }];
  const index = write('index', { schemaVersion: 2, mediaType: OCI_INDEX, manifests, annotations }, OCI_INDEX);
  const isIndex = document === 'index';
  const [root] = isIndex ? index : manifest;
  const listed = {
    ...root,
    ...(!isIndex && { platform }),
    annotations: { ...annotations, 'org.opencontainers.image.ref.name': name },
  };
  const row = document === 'index.json' ? change(listed) : listed;
  return { blobs: [[LAYER_BLOB, LAYER], config, manifest, ...(isIndex ? [index] : [])], entry: row };
}

/** The parent of a property, in a copy of a document. */
function parentIn(document: Json, path: Field['path']): [Json, Json, string | number] {
  const copy = structuredClone(document);
  const key = path.at(-1) ?? '';
  let parent = copy;
  for (const step of path.slice(0, -1)) parent = (parent[step] ??= {}) as Json;
  return [copy, parent, key];
}

function withValue(document: Json, path: Field['path'], value: unknown): Json {
  const [copy, parent, key] = parentIn(document, path);
  parent[key] = value;
  return copy;
}

function withOtherSpelling(document: Json, path: Field['path']): Json {
  const [copy, parent, key] = parentIn(document, path);
  const { [key]: value = null } = parent;
  delete parent[key];
  parent[String(key).toUpperCase()] = value;
  return copy;
}

/** The same layout as a folder and as a tar. */
async function placesOf(
  images: readonly ReturnType<typeof oddImage>[],
  others: Readonly<Record<string, string>> = {},
): Promise<[ImagePlace, ImagePlace]> {
  const home = await temporaryFolder();
  const files = layoutFiles(
    images.flatMap(({ blobs }) => blobs),
    { folder: '.', manifests: images.map((image) => image.entry) as never },
  );
  for (const [path, text] of Object.entries(others)) files.set(path, Buffer.from(text));
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(home, path)), { recursive: true });
    await writeFile(join(home, path), bytes);
  }
  const content = new MemoryContent();
  const bytes = tar(...[...files].map(([path, file]) => entry(path, file)));
  const archive = await readArchive(inChunks(bytes, 65_536), { ingest: plainIngest(content), content });
  return [await Layout.open(home), archive.place];
}

/** What a place answers: `read`, or its error without the names of the place and the digests of other documents. */
async function answer(place: ImagePlace, reference: string): Promise<string> {
  try {
    await select([place], { images: [reference] });
    return 'read';
  } catch (error) {
    if (!isDrayageError(error)) throw error;
    const { code, message } = error;
    return `${code} ${message.replace(reference, 'IT').replace(/cannot be read in [^:]+:/, 'cannot be read:')}`;
  }
}

/** What an error says about a value that cannot be read: the image, the document, the property. */
function complaint({ in: document, path, is }: Field): RegExp {
  if (is === 'counted')
    return /IT.* (?:contains no image|manifests: .*|.*layers?.*|.*diff_ids.*|.*rootfs.*)$/;
  const property = String(path.findLast((key) => typeof key === 'string'));
  return new RegExp(`IT.*${document}.*${property === 'mediaType' ? 'media ?[tT]ype' : property}`);
}

describe('a value that is not what it should be costs its own image at most:', () => {
  const good = oddImage({ in: 'config', name: 'good:1', change: (same) => same });

  test.each(FIELDS)('$in $path', async (field) => {
    const wrong = Object.entries(OTHERS).flatMap(([type, value]) => (type === field.type ? [] : [value]));
    const values = [...NOTHING, ...wrong];
    const odd = values.map((value, i) =>
      oddImage({
        in: field.in,
        name: `odd:${i}`,
        change: (document) => withValue(document, field.path, value),
      }),
    );
    const [folder, archive] = await placesOf([good, ...odd]);
    const isUnnamed = field.in === 'index.json' && field.path.join() === 'annotations';
    for (const [i, image] of odd.entries()) {
      const reference = isUnnamed ? String(image.entry['digest']) : `odd:${i}`;
      const said = await answer(folder, reference);
      const isRead = i < NOTHING.length && field.is === undefined;
      expect(said, JSON.stringify(values[i])).toMatch(isRead ? /^read$/ : complaint(field));
      expect(said).not.toMatch(/Invalid|Expected|undefined/);
      expect(await answer(archive, reference)).toBe(said);
    }
    expect([await answer(folder, 'good:1'), await answer(archive, 'good:1')]).toEqual(['read', 'read']);
  });
});

const isInMap = ({ path }: Field): boolean => path.at(-1) === 'note';
const isElement = ({ path }: Field): boolean => typeof path.at(-1) === 'number';
/** What another program may read there decides which content an entry means: the whole index.json is refused. */
const isIdentifying = ({ in: document, path: [key] }: Field): boolean =>
  document === 'index.json' && ['mediaType', 'digest', 'size'].includes(String(key));

test.each(FIELDS.filter((field) => !isInMap(field) && !isElement(field) && !isIdentifying(field)))(
  'a key in another spelling costs its own image: $in $path',
  async ({ in: document, path }) => {
    const good = oddImage({ in: 'config', name: 'good:1', change: (same) => same });
    const odd = oddImage({ in: document, name: 'odd:1', change: (json) => withOtherSpelling(json, path) });
    const reference =
      path.join() === 'annotations' && document === 'index.json' ? String(odd.entry['digest']) : 'odd:1';
    for (const place of await placesOf([odd, good])) {
      expect(await answer(place, reference)).toMatch(new RegExp(`IT.*${document}.*a key in other spelling`));
      expect(await answer(place, 'good:1')).toBe('read');
    }
  },
);

describe('an entry of index.json that cannot be read gets a line, and its reason where it is asked for:', () => {
  const good = oddImage({ in: 'config', name: 'good:1', change: (same) => same });
  const odd = oddImage({ in: 'index.json', name: 'odd:1', change: (json) => withValue(json, ['size'], '5') });
  const [[layer], [config]] = good.blobs;
  const listed = [
    { Config: blobName(config.digest), RepoTags: ['good:1'], Layers: [blobName(layer.digest)] },
  ];
  const dockerManifest = { 'manifest.json': JSON.stringify(listed) };

  test.each([
    { beside: 'an image', images: [odd, good], others: {}, names: [['good:1']] },
    { beside: 'a manifest.json', images: [odd, good], others: dockerManifest, names: [['good:1']] },
    { beside: 'nothing else', images: [odd], others: {}, names: [] },
  ])('beside $beside', async ({ images, others, names }) => {
    for (const place of await placesOf(images, others)) {
      const notes: unknown[] = [];
      const found = await place.images({ onProgress: notes.push.bind(notes) });
      expect(found.map((image) => image.names)).toEqual(names);
      const message = 'odd:1 is skipped: size: not a whole number of bytes';
      expect(notes).toEqual([{ kind: 'note', message }]);
      expect(await answer(place, 'odd:1')).toBe(
        'MALFORMED IT cannot be read: index.json: size: not a whole number of bytes',
      );
    }
  });
});
