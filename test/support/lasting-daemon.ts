import type { DaemonIdentity, LastingEndpoint, ReferredImage } from '../../src/content/endpoint.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { MemoryEndpoint } from './memory-endpoint.ts';

/** A daemon in memory that outlasts its jobs. */
export class LastingDaemon extends MemoryEndpoint implements LastingEndpoint {
  /** How it identifies itself. */
  own: DaemonIdentity;
  /** What it says about an image, in place of the truth. */
  readonly lies: Map<Digest, Partial<ReferredImage>> = new Map();

  constructor(own: Partial<DaemonIdentity> = {}) {
    super();
    this.own = { id: 'ONE', name: 'runner-1', root: '/var/lib/docker', ...own };
  }

  async identity(): Promise<DaemonIdentity> {
    return this.own;
  }

  async refer(image: string): Promise<ReferredImage> {
    const { id, names, diffIds } = await this.inspect(image);
    const platform = await this.platform();
    return { image: id, id, names, diffIds, platform, documents: [], ...this.lies.get(id) };
  }
}
