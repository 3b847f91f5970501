import { DrayageError } from '../errors.ts';
import { isReference, parseReference } from '../oci/reference.ts';
import type { RegistryOptions } from './api.ts';
import { RegistryApi } from './api.ts';
import { RegistryRepository } from './repository.ts';

/**
 * A registry that speaks the OCI distribution-spec: one host, with its credentials.
 * @example
 * ```ts
 * import { copy } from 'drayage';
 * import { Registry } from 'drayage/registry';
 *
 * await using registry = new Registry(registryHost, { credentials });
 * await copy({ from: registry.repository('group/app'), images: ['1'], to: empty });
 * ```
 */
export class Registry implements AsyncDisposable {
  /** As references name it: `registry.example:5000`, `docker.io`. */
  readonly host: string;
  readonly #api: RegistryApi;
  readonly #repositories = new Map<string, RegistryRepository>();

  /**
   * Sends nothing yet.
   * @param host as references name it
   * @throws {@link DrayageError} `USAGE`
   */
  constructor(host: string, options: RegistryOptions = {}) {
    if (!isReference(`${host}/x`) || parseReference(`${host}/x`).domain !== host) {
      throw new DrayageError('USAGE', 'not the host of a registry', {
        hint: 'examples: registry.example, registry.example:5000, localhost:5000',
      });
    }
    this.host = host;
    this.#api = new RegistryApi(host, options);
  }

  /**
   * A repository by its path, `group/app`: always the same object.
   * @throws {@link DrayageError} `USAGE`
   */
  repository(path: string): RegistryRepository {
    const name = `${this.host}/${path}`;
    const known = this.#repositories.get(path);
    if (known !== undefined) return known;
    const parsed = isReference(name) ? parseReference(name) : undefined;
    if (parsed === undefined || parsed.tag !== undefined || parsed.digest !== undefined) {
      throw new DrayageError('USAGE', `not the path of a repository: ${JSON.stringify(path.slice(0, 300))}`);
    }
    const made = new RegistryRepository(this.#api, parsed.path);
    this.#repositories.set(path, made);
    return made;
  }

  /** Closes its own connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
  }
}
