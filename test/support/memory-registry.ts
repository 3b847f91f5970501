import type { Readable } from 'node:stream';
import type { ResolvedImages } from '../../src/content/image-index.ts';
import type { ContentOptions, OpenOptions } from '../../src/content/source.ts';
import { DrayageError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { parseReference } from '../../src/oci/reference.ts';
import type { BaseRepository } from '../../src/image/base-image.ts';
import { MemoryContent } from './memory-content.ts';

/** Registries in memory, which write down what they are asked. */
export class MemoryRegistry {
  /** What was asked for, in order: `has`, `open` or `resolve` with a digest or a reference. */
  readonly asked: string[] = [];
  /** Fails every request, where it is set. */
  refusal: DrayageError | undefined;
  readonly #content = new Map<string, MemoryContent>();
  readonly #tags = new Map<string, Descriptor>();

  /** Puts an image there under a full name with its tag. */
  push(name: string, root: Descriptor, { blobs }: MemoryContent): void {
    const content = this.content(name);
    for (const [digest, bytes] of blobs) content.blobs.set(digest, bytes);
    this.#tags.set(name, root);
  }

  /** The content of the repository that a name is of. */
  content(name: string): MemoryContent {
    const { domain, path } = parseReference(name);
    const repository = `${domain}/${path}`;
    const content = this.#content.get(repository) ?? new MemoryContent();
    this.#content.set(repository, content);
    return content;
  }

  /** Which layers were read. */
  get layersRead(): string[] {
    return this.asked.filter((line) => line.startsWith('open layer ')).map((line) => line.slice(11));
  }

  readonly open = async (repository: string): Promise<BaseRepository> => {
    const { domain, path } = parseReference(repository);
    const name = `${domain}/${path}`;
    const content = this.content(name);
    return {
      has: async (descriptor: Descriptor, options?: ContentOptions): Promise<boolean> => {
        this.#note(`has ${descriptor.digest}`);
        return content.has(descriptor, options);
      },
      open: async (descriptor: Descriptor, options?: OpenOptions): Promise<Readable> => {
        const isLayer = /layer|diff/.test(descriptor.mediaType);
        this.#note(`open ${isLayer ? 'layer ' : ''}${descriptor.digest}`);
        return content.open(descriptor, options);
      },
      resolve: async (reference: string): Promise<ResolvedImages> => {
        this.#note(`resolve ${reference}`);
        const root = this.#tags.get(reference) ?? this.#byDigest(reference, name);
        return [{ root, names: [], annotations: {} }];
      },
    };
  };

  #note(line: string): void {
    this.asked.push(line);
    if (this.refusal !== undefined) throw this.refusal;
  }

  #byDigest(digest: string, repository: string): Descriptor {
    for (const [name, root] of this.#tags)
      if (root.digest === digest && name.startsWith(`${repository}:`)) return root;
    throw new DrayageError('NOT_FOUND', `no manifest ${digest} in ${repository}`);
  }
}
