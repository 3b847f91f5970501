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
import type { Digest } from './oci/digest.ts';
import { isReference, looksLikeImageId, normalizeName, parseReference } from './oci/reference.ts';
import type { LayerStatus, OnProgress } from './progress.ts';
import { selectImages } from './selection.ts';
import { tap } from './stream/tap.ts';

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
  names: string[];
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
  return { ...arrival, names };
}

async function fromArchive(options: ArriveOptions, archive: AsyncIterable<Uint8Array>): Promise<Arrival[]> {
  const arrivals = await readAll(options, archive);
  const { images = [] } = options;
  if (images.length === 0) return arrivals;
  return images.map((text) => {
    const name = nameOf(text) ?? text;
    const found = arrivals.find(({ root, names }) => names.includes(name) || root.digest === text);
    if (found !== undefined) return { ...found, names: found.names.includes(name) ? [name] : [] };
    const candidates = arrivals.flatMap(({ names }) => names);
    throw new DrayageError('NOT_FOUND', `no image ${JSON.stringify(text)} in the archive`, {
      candidates,
      hint: `it holds ${candidates.join(', ') || 'only images without a name'}`,
    });
  });
}

async function readAll(options: ArriveOptions, archive: AsyncIterable<Uint8Array>): Promise<Arrival[]> {
  const { content, ingest, keepManifests, onRead, signal } = options;
  const archived = await readArchive(
    tap(archive, (chunk) => onRead(chunk.length)),
    {
      ingest,
      content,
      keepManifests,
      signal,
    },
  );
  return archived.map(({ root, names, layers, referrers }) => ({
    root,
    names,
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
    arrivals.push({ root: image.root, names: image.names, layers, referrers });
  }
  return arrivals;
}

/** The name by which an image was asked for; none where it was asked for by its ID. */
function nameAsked(text: string, { id, names }: EndpointImage): string | undefined {
  const byId =
    looksLikeImageId(text) && id.slice(id.indexOf(':') + 1).startsWith(text.replace(/^sha256:/, ''));
  const name = nameOf(text);
  if (name === undefined || (byId && !names.includes(name))) return undefined;
  // podman calls local images localhost/temp, and answers to temp as well.
  const short = name.replace(/^localhost\//, '');
  return !names.includes(name) && names.includes(short) ? short : name;
}

function nameOf(text: string): string | undefined {
  const reference = isReference(text) ? parseReference(text) : undefined;
  return reference === undefined || reference.digest !== undefined ? undefined : normalizeName(text);
}
