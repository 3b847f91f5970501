/** What a containerd store does with images, as far as saving goes: on a fake daemon, with all content in memory. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';
import type { TestCargo } from '../docker/cargo.ts';
import type { FakeDaemon } from './fake-daemon.ts';

interface StoredDocument {
  mediaType?: string;
  config?: { digest: string };
  layers?: { digest: string; mediaType: string }[];
  manifests?: { digest: string; size: number }[];
}

/** Gives a fake daemon a content store that holds these images, and takes in and gives out others. */
export class FakeContentStore {
  /** By digest. A test may take one away. */
  readonly blobs: Map<string, Uint8Array> = new Map<string, Uint8Array>();
  /** The blobs that each archive gave out. */
  readonly given: string[][] = [];
  readonly #daemon: FakeDaemon;

  constructor(daemon: FakeDaemon, images: readonly (readonly [TestCargo, string])[]) {
    this.#daemon = daemon;
    for (const [{ root, diffIds, source }, name] of images) {
      for (const [digest, bytes] of source.blobs) this.blobs.set(digest, bytes);
      const Descriptor = root;
      const Manifests = this.#manifests(root).map((manifest) => ({
        ID: manifest.digest,
        Available: true,
        Descriptor: { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.size },
        ImageData: { Platform: { os: 'linux', architecture: 'amd64' } },
      }));
      daemon.images.push({ id: root.digest, names: [name], diffIds, extra: { Descriptor, Manifests } });
    }
    daemon.handlers.set('POST /images/load', (request, response) => this.load(request, response));
    daemon.handlers.set('GET /images/get', (request, response) => this.save(request, response));
  }

  /** Loads an archive; what it lacks is taken to be there. */
  async load(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const files = new Map<string, Buffer>();
    for await (const entry of request.pipe(extract())) files.set(entry.header.name, await buffer(entry));
    const index = JSON.parse(String(files.get('index.json'))) as { manifests: { digest: string }[] };
    const id = index.manifests[0]?.digest ?? '';
    for (const [name, bytes] of files) {
      if (name.startsWith('blobs/')) this.blobs.set(`sha256:${name.split('/')[2]}`, bytes);
    }
    this.#daemon.images.push({ id, names: [], diffIds: [] });
    response.end(`${JSON.stringify({ stream: `Loaded image ID: ${id}\n` })}\r\n`);
  }

  /** Saves all content of an image that is there, without a word of what is not. */
  save(request: IncomingMessage, response: ServerResponse): void {
    const root = new URL(request.url ?? '', 'http://x').searchParams.get('names') ?? '';
    const archive = pack();
    const given = [...this.#reach(root)].filter((digest) => this.blobs.has(digest));
    for (const digest of given) {
      archive.entry({ name: `blobs/sha256/${digest.slice(7)}` }, Buffer.from(this.blobs.get(digest) ?? ''));
    }
    const { mediaType = '' } = this.#document(root);
    const size = this.blobs.get(root)?.length ?? 0;
    const index = { schemaVersion: 2, manifests: [{ mediaType, digest: root, size }] };
    archive.entry({ name: 'index.json' }, JSON.stringify(index));
    archive.entry({ name: 'oci-layout' }, '{"imageLayoutVersion":"1.0.0"}');
    archive.finalize();
    this.given.push(given);
    archive.pipe(response);
  }

  #reach(digest: string): Set<string> {
    const { config, layers = [], manifests = [] } = this.#document(digest);
    return new Set([
      digest,
      ...manifests.flatMap((child) => [...this.#reach(child.digest)]),
      ...[config ?? [], layers].flat().map((blob) => blob.digest),
    ]);
  }

  #manifests(root: { mediaType: string; digest: string; size: number }) {
    const { manifests } = this.#document(root.digest);
    return (manifests as (typeof root)[] | undefined) ?? [root];
  }

  #document(digest: string): StoredDocument {
    return JSON.parse(String(Buffer.from(this.blobs.get(digest) ?? '{}'))) as StoredDocument;
  }
}
