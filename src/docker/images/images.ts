import type { ContentOptions } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import { isDigest } from '../../oci/digest.ts';
import { looksLikeImageId, normalizeName } from '../../oci/reference.ts';
import { parseTagName } from './names.ts';
import { nearestNames } from '../../listing/nearest.ts';
import { assertOk, drain } from '../connect/reply.ts';
import type { DaemonReply, DaemonRequest, Transport } from '../connect/transport.ts';
import { pause } from '../../stream/signals.ts';

import type { DaemonImage, ImageSummary, ListedManifest } from './description.ts';
import { readDescription, readList, readManifests } from './description.ts';

/** The pauses before a failed list is requested again, in ms. */
const LIST_PAUSES = [20, 50, 100, 200, 400, 800];

/** A shortened image ID with its algorithm. */
const SHORT_ID = /^sha256:[0-9a-f]{7,63}$/;

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
    const reply = await this.#ask(image, { signal }, manifests === true ? '/json?manifests=1' : '/json');
    if (reply === undefined) return undefined;
    if (reply.status !== 404) return readDescription(reply, image, this.#ownDomain);
    await drain(reply);
    return undefined;
  }

  /**
   * All images but intermediate ones.
   * @param options.all includes intermediate images
   */
  async list({ signal, all }: ContentOptions & { all?: boolean } = {}): Promise<ImageSummary[]> {
    return readList(await this.#openList(all === true ? '?all=1' : '', { signal }), this.#ownDomain);
  }

  /** The complete manifests in a containerd store of API 1.48 and later. */
  async manifests({ signal }: ContentOptions = {}): Promise<ListedManifest[]> {
    return readManifests(await this.#openList('?manifests=1', { signal }));
  }

  async #openList(query: string, { signal }: ContentOptions): Promise<DaemonReply> {
    const path = `/images/json${query}`;
    let reply = await this.#transport.open({ signal, path });
    // A containerd store cannot list while it removes the content of an image.
    for (const milliseconds of LIST_PAUSES) {
      if (reply.status !== 404) break;
      await drain(reply);
      await pause(milliseconds, signal);
      reply = await this.#transport.open({ signal, path });
    }
    return reply;
  }

  /** @throws {@link DrayageError} `NOT_FOUND` with the nearest names, `USAGE`, `DAEMON`, `UNREACHABLE` */
  async tag(image: string, name: string, { signal }: ContentOptions = {}): Promise<void> {
    const { repository, tag } = parseTagName(name);
    const query = String(new URLSearchParams({ repo: repository, tag }));
    const reply = await this.#about(image, { signal, method: 'POST' }, `/tag?${query}`);
    await assertOk(reply, `the name ${name}`);
    await drain(reply);
  }

  /** @throws {@link DrayageError} `NOT_FOUND` with the nearest names, `USAGE`, `DAEMON`, `UNREACHABLE` */
  async remove(image: string, options: ContentOptions & { force?: boolean } = {}): Promise<void> {
    const { signal, force = false } = options;
    const request = { signal, method: 'DELETE' as const, timeout: this.#transport.workTimeout };
    const reply = await this.#about(image, request, `?force=${force}`);
    await assertOk(reply, `to remove ${image}`);
    await drain(reply);
  }

  async #about(image: string, request: Omit<DaemonRequest, 'path'>, rest: string): Promise<DaemonReply> {
    const reply = await this.#ask(image, request, rest);
    if (reply !== undefined && reply.status !== 404) return reply;
    if (reply !== undefined) await drain(reply);
    throw await this.#notFound(image, request);
  }

  /**
   * Sends a request about an image.
   * @param rest of the path, after the image
   * @returns undefined without a request if no image has such an ID
   */
  async #ask(
    image: string,
    request: Omit<DaemonRequest, 'path'>,
    rest: string,
  ): Promise<DaemonReply | undefined> {
    const name = SHORT_ID.test(image) ? await this.#fullId(image, request) : givenName(image);
    // Of the characters in a reference, only the brackets of an IPv6 address need escaping in a path.
    const segment = name?.replaceAll('[', '%5B').replaceAll(']', '%5D');
    if (segment === undefined) return undefined;
    return this.#transport.open({ ...request, path: `/images/${segment}${rest}` });
  }

  /** The ID with this start. Podman takes a shortened one only without its algorithm, where it may be a name. */
  async #fullId(start: string, { signal }: ContentOptions): Promise<string | undefined> {
    const listed = await this.list({ signal, all: true });
    const ids = new Set(listed.map(({ id }) => id).filter((id) => id.startsWith(start)));
    if (ids.size > 1) {
      const candidates = [...ids];
      throw new DrayageError('AMBIGUOUS', `${start} is the start of several image IDs`, { candidates });
    }
    return [...ids][0];
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
