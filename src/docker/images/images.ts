import type { ContentOptions } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import { isDigest } from '../../oci/digest.ts';
import { looksLikeImageId, normalizeName } from '../../oci/reference.ts';
import { parseTagName } from './names.ts';
import { nearestNames } from '../../listing/nearest.ts';
import { assertOk, drain } from '../connect/reply.ts';
import type { DaemonReply, DaemonRequest, Transport } from '../connect/transport.ts';
import { pause } from '../../stream/signals.ts';

import type { DaemonImage, ImageSummary } from './description.ts';
import { readDescription, readList } from './description.ts';

/** The pauses before a failed list is requested again, in ms. */
const LIST_PAUSES = [20, 50, 100, 200, 400, 800];

/** The images of a daemon and their names. */
export class Images {
  readonly #transport: Transport;
  readonly #ownDomain: string | undefined;

  /** @param ownDomain where the daemon keeps its own images; see `familiarNames` */
  constructor(transport: Transport, ownDomain: string | undefined) {
    this.#transport = transport;
    this.#ownDomain = ownDomain;
  }

  /** @throws {@link DrayageError} `NOT_FOUND` with the nearest names, `USAGE`, `DAEMON`, `UNREACHABLE` */
  async inspect(image: string, options: ContentOptions & { manifests?: boolean } = {}): Promise<DaemonImage> {
    const found = await this.find(image, options);
    if (found !== undefined) return found;
    throw await this.#notFound(image, options);
  }

  /** As {@link inspect}; undefined if there is no such image. */
  async find(
    image: string,
    { signal, manifests }: ContentOptions & { manifests?: boolean } = {},
  ): Promise<DaemonImage | undefined> {
    const reply = await this.#transport.open({ signal, path: inspectPath(image, manifests) });
    if (reply.status !== 404) return readDescription(reply, image, this.#ownDomain);
    await drain(reply);
    return undefined;
  }

  /**
   * All images but intermediate ones.
   * @param options.all includes intermediate images
   */
  async list({ signal, all }: ContentOptions & { all?: boolean } = {}): Promise<ImageSummary[]> {
    const path = all === true ? '/images/json?all=1' : '/images/json';
    let reply = await this.#transport.open({ signal, path });
    // A containerd store cannot list while it removes the content of an image.
    for (const milliseconds of LIST_PAUSES) {
      if (reply.status !== 404) break;
      await drain(reply);
      await pause(milliseconds, signal);
      reply = await this.#transport.open({ signal, path });
    }
    return readList(reply, this.#ownDomain);
  }

  /** @throws {@link DrayageError} `NOT_FOUND` with the nearest names, `USAGE`, `DAEMON`, `UNREACHABLE` */
  async tag(image: string, name: string, { signal }: ContentOptions = {}): Promise<void> {
    const { repository, tag } = parseTagName(name);
    const query = String(new URLSearchParams({ repo: repository, tag }));
    const path = `/images/${imageSegment(image)}/tag?${query}`;
    const reply = await this.#about(image, { signal, method: 'POST', path });
    await assertOk(reply, `the name ${name}`);
    await drain(reply);
  }

  /** @throws {@link DrayageError} `NOT_FOUND` with the nearest names, `USAGE`, `DAEMON`, `UNREACHABLE` */
  async remove(image: string, options: ContentOptions & { force?: boolean } = {}): Promise<void> {
    const { signal, force = false } = options;
    const path = `/images/${imageSegment(image)}?force=${force}`;
    const reply = await this.#about(image, {
      signal,
      method: 'DELETE',
      path,
      timeout: this.#transport.workTimeout,
    });
    await assertOk(reply, `to remove ${image}`);
    await drain(reply);
  }

  async #about(image: string, request: DaemonRequest): Promise<DaemonReply> {
    const reply = await this.#transport.open(request);
    if (reply.status !== 404) return reply;
    await drain(reply);
    throw await this.#notFound(image, request);
  }

  async #notFound(image: string, { signal }: ContentOptions): Promise<DrayageError> {
    const names = (await this.list({ signal })).flatMap((listed) => listed.names);
    const candidates = isDigest(image) ? [] : nearestNames(givenName(image), names);
    const hint =
      candidates.length > 0 ? `did you mean ${candidates.join(', ')}?` : 'docker images lists what it has';
    return new DrayageError('NOT_FOUND', `docker at ${this.#transport.host.name} has no image ${image}`, {
      candidates,
      url: this.#transport.host.name,
      hint,
    });
  }
}

/**
 * The text to ask a daemon for: an ID as it is given, or a name with its tag.
 * @throws {@link DrayageError} `USAGE` if it is neither
 */
export function givenName(image: string): string {
  return looksLikeImageId(image) ? image : normalizeName(image);
}

function inspectPath(image: string, manifests = false): string {
  return `/images/${imageSegment(image)}/json${manifests ? '?manifests=1' : ''}`;
}

/** As a part of a path. Of the characters in a reference, only the brackets of an IPv6 address need escaping. */
function imageSegment(image: string): string {
  return givenName(image).replaceAll('[', '%5B').replaceAll(']', '%5D');
}
