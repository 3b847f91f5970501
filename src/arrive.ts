import { readArchive } from './archive/read.ts';
import type {
  ContentOptions,
  ContentSink,
  ContentSource,
  EndpointImage,
  ImageEndpoint,
  ImageIndex,
  IngestLayer,
} from './content.ts';
import { copyImage } from './copy.ts';
import { DrayageError } from './errors.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { readImage } from './image.ts';
import type { Digest } from './oci/digest.ts';
import { digestHex } from './oci/digest.ts';
import { isReference, looksLikeImageId, normalizeName, parseReference } from './oci/reference.ts';
import type { LayerStatus, OnProgress } from './progress.ts';
import { selectImages } from './selection.ts';

/** Where images are saved from: a daemon, an archive's bytes, or another layout. */
export type SaveSource =
  | ImageEndpoint
  | { archive: AsyncIterable<Uint8Array> }
  | (ContentSource & ImageIndex);

/** A layer of a {@link SavedImage}. */
export interface SavedLayer {
  digest: Digest;
  /** Stored bytes. */
  size: number;
  diffId: Digest;
  uncompressedSize: number;
  mediaType: string;
  status: LayerStatus;
}

/** An image whose content has arrived; nothing names it yet. */
export interface Arrival {
  root: Descriptor;
  /** The config digest. */
  id: Digest;
  names: string[];
  /** What it was annotated with where it comes from. */
  annotations: Record<string, string>;
  layers: SavedLayer[];
  /** What refers to it and came with it: signatures, SBOMs. */
  referrers: Descriptor[];
}

/** Options of {@link arrive}. */
export interface ArriveOptions extends ContentOptions {
  from: SaveSource;
  images?: readonly string[] | undefined;
  /** Where the content goes. */
  content: ContentSource & ContentSink;
  ingest: IngestLayer;
  /** Keep a daemon's own manifests over uncompressed layers. */
  keepManifests: boolean;
  /** Called with each number of bytes that has come in. */
  onRead: (bytes: number) => void;
  onProgress?: OnProgress | undefined;
}

/**
 * Takes images in from wherever they are, content only.
 * @throws {@link DrayageError} `NOT_FOUND`, `UNREACHABLE`, `TRUNCATED`, `MALFORMED`, `INCOMPLETE`, `DIGEST_MISMATCH`
 */
export function arrive(options: ArriveOptions): Promise<Arrival[]> {
  const { from } = options;
  if ('archive' in from) return fromArchive(options, from.archive);
  return 'load' in from ? fromEndpoint(options, from) : fromLayout(options, from);
}

async function fromEndpoint(options: ArriveOptions, endpoint: ImageEndpoint): Promise<Arrival[]> {
  const { images = [], onProgress } = options;
  if (images.length === 0)
    throw new DrayageError('USAGE', 'which image is to be saved?', { hint: 'name at least one' });
  const wanted = new Map<Digest, { image: EndpointImage; names: Set<string> }>();
  for (const text of images) {
    const image = await endpoint.inspect(text, options);
    const entry = wanted.get(image.id) ?? { image, names: new Set() };
    const name = nameAsked(text, image);
    if (name !== undefined) entry.names.add(name);
    wanted.set(image.id, entry);
  }
  const arrivals: Arrival[] = [];
  for (const { image, names } of wanted.values()) {
    onProgress?.({ kind: 'image', name: [...names][0] ?? image.id });
    arrivals.push(await fromEndpointImage(options, endpoint, image, [...names]));
  }
  return arrivals;
}

/** The image is asked for by its ID, so that a tag that moves meanwhile cannot give us another one. */
async function fromEndpointImage(
  options: ArriveOptions,
  endpoint: ImageEndpoint,
  image: EndpointImage,
  names: string[],
): Promise<Arrival> {
  const archive = await endpoint.save(image.id, options);
  const [arrival, ...others] = await readAll(options, archive);
  if (arrival === undefined || others.length > 0) {
    throw new DrayageError(
      'DAEMON',
      `the daemon sent ${others.length + (arrival ? 1 : 0)} images for ${image.id}`,
    );
  }
  assertAsked(image, arrival);
  return { ...arrival, names };
}

/** What was sent has to be what was asked for: by its ID, or, where an ID is of a manifest as it was sent, by its layers. */
function assertAsked({ id, diffIds }: EndpointImage, arrival: Arrival): void {
  const sent = arrival.layers.map(({ diffId }) => diffId);
  if (id === arrival.id || id === arrival.root.digest || String(sent) === String(diffIds)) return;
  throw new DrayageError('DAEMON', `the daemon was asked for ${id} and sent ${arrival.id}`, {
    expected: id,
    actual: arrival.id,
    hint: 'save it again',
  });
}

async function fromArchive(options: ArriveOptions, archive: AsyncIterable<Uint8Array>): Promise<Arrival[]> {
  const arrivals = await readAll(options, archive);
  const { images = [] } = options;
  if (images.length === 0) return arrivals;
  return images.map((text) => {
    const name = nameOf(text);
    const named = arrivals.find(({ names }) => name !== undefined && names.includes(name));
    if (named !== undefined && name !== undefined) return { ...named, names: [name] };
    const byId = arrivals.find(({ root, id }) => isIdOf(text, id) || isIdOf(text, root.digest));
    if (byId !== undefined) return { ...byId, names: [] };
    const candidates = arrivals.flatMap(({ names, id }) => (names.length > 0 ? names : [id]));
    throw new DrayageError('NOT_FOUND', `no image ${JSON.stringify(text)} in the archive`, {
      candidates,
      hint: `it holds ${candidates.join(', ')}`,
    });
  });
}

async function readAll(options: ArriveOptions, archive: AsyncIterable<Uint8Array>): Promise<Arrival[]> {
  const { content, ingest, keepManifests, onRead, signal } = options;
  const archived = await readArchive(archive, { ingest, content, keepManifests, onRead, signal });
  return archived.map(({ root, config, names, layers, referrers }) => ({
    root,
    id: config.digest,
    names,
    annotations: {},
    referrers,
    layers: layers.map(({ blob, diffId, uncompressedSize, status }) => ({
      digest: blob.digest,
      size: blob.size,
      diffId,
      uncompressedSize,
      mediaType: blob.mediaType,
      status,
    })),
  }));
}

async function fromLayout(options: ArriveOptions, place: ContentSource & ImageIndex): Promise<Arrival[]> {
  const { content, onRead, onProgress, signal, images } = options;
  const arrivals: Arrival[] = [];
  for (const { image } of await selectImages([place], images)) {
    onProgress?.({ kind: 'image', name: image.names[0] ?? image.root.digest });
    const layers = await copyImage(place, content, image.root, { signal, onRead });
    const referrers = await place.referrers(image.root, { signal });
    for (const referrer of referrers) await copyImage(place, content, referrer, { signal, onRead });
    const { config } = await readImage(content, image.root, { signal });
    arrivals.push({ ...image, id: config.descriptor.digest, layers, referrers });
  }
  return arrivals;
}

/** The name by which an image was asked for; none where it was asked for by its ID. */
function nameAsked(text: string, { id, names }: EndpointImage): string | undefined {
  const name = nameOf(text);
  if (name === undefined || (isIdOf(text, id) && !names.includes(name))) return undefined;
  // podman calls local images localhost/temp, and answers to temp as well.
  const short = name.replace(/^localhost\//, '');
  return !names.includes(name) && names.includes(short) ? short : name;
}

/** Whether `text` is this ID, or how it begins. */
function isIdOf(text: string, id: Digest): boolean {
  return looksLikeImageId(text) && digestHex(id).startsWith(text.replace(/^sha256:/, ''));
}

function nameOf(text: string): string | undefined {
  const reference = isReference(text) ? parseReference(text) : undefined;
  return reference === undefined || reference.digest !== undefined ? undefined : normalizeName(text);
}
