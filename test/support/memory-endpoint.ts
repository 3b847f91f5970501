import type { Readable } from 'node:stream';
import { writeDockerArchive } from '../../src/archive/write/docker.ts';
import type { ContentOptions, ContentSource } from '../../src/content/source.ts';
import type {
  EndpointImage,
  ImageEndpoint,
  ImageTags,
  ImageUse,
  EndpointLoadOptions,
  EndpointLoadResult,
  NamedImage,
  SaveArchiveOptions,
} from '../../src/content/endpoint.ts';
import { chainSources } from '../../src/content/source.ts';
import { DrayageError } from '../../src/errors.ts';
import { readImage } from '../../src/image/image.ts';
import { readLayer } from './read-layer.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Platform } from '../../src/oci/platform.ts';
import { isReference, normalizeName } from '../../src/oci/reference.ts';

/** An image in a {@link MemoryEndpoint}. */
export interface HeldImage extends EndpointImage {
  root: Descriptor;
  source: ContentSource;
}

/** A daemon in memory: it holds images as they were given, and writes down what it was asked to do. */
export class MemoryEndpoint implements ImageEndpoint, ImageTags {
  readonly held: HeldImage[] = [];
  /** The roots and names of every load, in order. */
  readonly loads: { root: Descriptor; names: string[]; full?: boolean }[] = [];
  /** What every archive was asked for by. */
  readonly saves: string[] = [];
  /** What its containers use. */
  readonly containers: ImageUse[] = [];
  /** Whether it packs archives before it sends them. */
  spools = false;
  readonly #platform: Platform;

  constructor(platform: Platform = { os: 'linux', architecture: 'amd64' }) {
    this.#platform = platform;
  }

  /** Has it hold an image from the start. */
  async hold(root: Descriptor, source: ContentSource, names: string[]): Promise<Digest> {
    const { config } = await readImage(source, root, { prefer: this.#platform });
    const id = config.descriptor.digest;
    this.held.push({ id, names, diffIds: config.value.rootfs.diff_ids, root, source });
    return id;
  }

  async inspect(image: string, { signal }: ContentOptions = {}): Promise<EndpointImage> {
    signal?.throwIfAborted();
    const { id, names, diffIds } = this.#find(image);
    const platforms = [{ platform: this.#platform, digest: id }];
    return { id, names, diffIds, platforms };
  }

  async platform({ signal }: ContentOptions = {}): Promise<Platform> {
    signal?.throwIfAborted();
    return this.#platform;
  }

  async load(
    root: Descriptor,
    source: ContentSource,
    names: readonly string[],
    { signal, onProgress, full }: EndpointLoadOptions = {},
  ): Promise<EndpointLoadResult> {
    this.loads.push({ root, names: [...names], ...(full !== undefined && { full }) });
    const image = await readImage(source, root, { prefer: this.#platform, signal });
    const id = image.config.descriptor.digest;
    const layers = image.layers.length;
    const present = this.held.find((held) => held.id === id);
    let bytesSent = 0;
    if (present === undefined) {
      for (const layer of image.layers) {
        const size = await readLayer(source, layer, { signal });
        bytesSent += size;
        onProgress?.({ kind: 'bytes', direction: 'sent', bytes: size });
      }
    }
    const moved = this.held.flatMap((held) =>
      held.id === id
        ? []
        : held.names.filter((name) => names.includes(name)).map((name) => ({ name, from: held.id })),
    );
    for (const other of this.held) other.names = other.names.filter((name) => !names.includes(name));
    if (present === undefined)
      this.held.push({ id, names: [...names], diffIds: image.config.value.rootfs.diff_ids, root, source });
    else present.names.push(...names);
    const layersSent = present === undefined ? layers : 0;
    const status = present === undefined ? 'loaded' : 'present';
    return { daemonId: id, status, layersSent, layersPresent: layers - layersSent, bytesSent, moved };
  }

  async list({ signal }: ContentOptions = {}): Promise<NamedImage[]> {
    signal?.throwIfAborted();
    return this.held.map(({ id, names }) => ({ id, names: [...names] }));
  }

  async uses({ signal }: ContentOptions = {}): Promise<ImageUse[]> {
    signal?.throwIfAborted();
    return [...this.containers];
  }

  async tag(image: string, name: string): Promise<void> {
    const found = this.#find(image);
    for (const other of this.held) other.names = other.names.filter((taken) => taken !== name);
    found.names.push(name);
  }

  async remove(name: string): Promise<void> {
    const found = this.#find(name);
    const isUsed = this.containers.some(({ image }) => image === found.id);
    if (isUsed && found.names.length === 1) {
      throw new DrayageError('DAEMON', `a container uses ${name}`, { status: 409 });
    }
    found.names = found.names.filter((taken) => taken !== name);
    if (found.names.length === 0) this.held.splice(this.held.indexOf(found), 1);
  }

  async save(images: string | readonly string[], { signal }: SaveArchiveOptions = {}): Promise<Readable> {
    const asked = [images].flat();
    this.saves.push(asked.join(' '));
    const archived = [];
    for (const image of asked) {
      const { id, names, root } = this.#find(image);
      const documents = await readImage(this.#content, root, { prefer: this.#platform, signal });
      archived.push({ image: documents, names: image === id ? [] : names });
    }
    return writeDockerArchive(archived, this.#content, { signal });
  }

  get #content(): ContentSource {
    return chainSources(this.held.map(({ source }) => source));
  }

  /** By name or ID; as podman does, `localhost/temp` is looked for as `temp`, too. */
  #find(image: string): HeldImage {
    const name = isReference(image) ? normalizeName(image) : image;
    const short = name.replace(/^localhost\//, '');
    const hex = image.replace(/^sha256:/, '');
    const found =
      this.held.find(({ names }) => names.includes(name)) ??
      this.held.find(({ id, names }) => names.includes(short) || id.slice(7).startsWith(hex));
    if (found !== undefined) return found;
    const candidates = this.held.flatMap(({ names }) => names);
    throw new DrayageError('NOT_FOUND', `no image ${image}`, { candidates });
  }
}
