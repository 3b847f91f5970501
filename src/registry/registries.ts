import { DrayageError } from '../errors.ts';
import { normalizedReference, parseReference, withDefaultTag } from '../oci/reference.ts';
import type { RegistryOptions } from './api.ts';
import { Registry } from './registry.ts';
import type { RegistryRepository } from './repository.ts';

/** A tag of a repository. */
export interface TaggedRepository {
  repository: RegistryRepository;
  tag: string;
}

/**
 * Registries. Each is opened when a reference first names it, and stays open until all are closed.
 * @example
 * ```ts
 * import { copy, Registries } from 'drayage';
 *
 * await using all = new Registries(async () => ({ credentials }));
 * const { repository, tag } = await all.tagged(`${registryHost}/group/app:1`);
 * await copy({ from: repository, images: [tag], to: empty });
 * ```
 */
export class Registries implements AsyncDisposable {
  readonly #optionsFor: (host: string) => Promise<RegistryOptions>;
  readonly #open = new Map<string, Promise<Registry>>();

  /** @param optionsFor how to reach a registry, by its host as references name it */
  constructor(optionsFor: (host: string) => Promise<RegistryOptions> = async () => ({})) {
    this.#optionsFor = optionsFor;
  }

  /** The registry of a host. */
  async registry(host: string): Promise<Registry> {
    const known = this.#open.get(host);
    if (known !== undefined) return known;
    const opening = this.#optionsFor(host).then((options) => new Registry(host, options));
    this.#open.set(host, opening);
    return opening;
  }

  /**
   * The repository that a reference names, `registry.example/group/app`; tag and digest are ignored.
   * @throws {@link DrayageError} `USAGE`
   */
  async repository(reference: string): Promise<RegistryRepository> {
    const { domain, path } = parseReference(reference);
    return (await this.registry(domain)).repository(path);
  }

  /**
   * The tag that a reference names; without one `latest`.
   * @throws {@link DrayageError} `USAGE`, also for a reference by digest
   */
  async tagged(reference: string): Promise<TaggedRepository> {
    const parsed = withDefaultTag(parseReference(reference));
    const { tag, digest } = parsed;
    if (tag === undefined || digest !== undefined) {
      throw new DrayageError('USAGE', `not a tag: ${normalizedReference(parsed)}`, {
        hint: 'omit the digest',
      });
    }
    return { repository: await this.repository(reference), tag };
  }

  /** Closes all registries that were opened. */
  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await Promise.allSettled(this.#open.values());
    for (const result of opened) {
      if (result.status === 'fulfilled') await result.value[Symbol.asyncDispose]();
    }
  }
}
