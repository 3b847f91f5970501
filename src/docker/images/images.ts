import * as v from 'valibot';
import type { ContentOptions } from '../../content/source.ts';
import type { EndpointImage, NamedImage } from '../../content/endpoint.ts';
import { DrayageError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor, descriptorSchema } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { isDigest } from '../../oci/digest.ts';
import { digestSchema, optional, stringsSchema } from '../../oci/parse.ts';
import { platformSchema } from '../../oci/platform.ts';
import { looksLikeImageId, normalizeName } from '../../oci/reference.ts';
import { familiarNames, parseTagName, registryDigests } from './names.ts';
import { nearestNames } from '../../listing/nearest.ts';
import { assertOk, drain, readJson } from '../connect/reply.ts';
import type { DaemonReply, DaemonRequest, Transport } from '../connect/transport.ts';
import { pause } from '../../stream/signals.ts';

/** A daemon's description of one image. */
export interface DaemonImage extends EndpointImage {
  architecture: string;
  os: string;
  variant?: string | undefined;
  /** Bytes as this daemon counts: unpacked; on a containerd store its content. */
  size: number;
  /** RFC 3339 time of the build, if known. */
  created?: string | undefined;
  /** Of a containerd store, API 1.48 and later: the image's manifests, and whether all content of each is there. */
  manifests?: DaemonManifest[] | undefined;
  /** Of a containerd store, API 1.48 and later: the manifest or index that has the ID. */
  root?: Descriptor | undefined;
}

/** A manifest of a daemon's image: of the image for one `platform`, or of an attestation, which has none. */
export interface DaemonManifest extends Pick<Descriptor, 'digest' | 'platform'> {
  /** Whether the daemon has all of its content. */
  available: boolean;
  descriptor?: Descriptor | undefined;
}

/** One line of a daemon's list of images. */
export interface ImageSummary extends NamedImage {
  /** Bytes; see {@link DaemonImage}. */
  size: number;
  /** RFC 3339 time of the build. */
  created: string;
}

/** The pauses before a failed list is requested again, in ms. */
const LIST_PAUSES = [20, 50, 100, 200, 400, 800];

/** Older podman omits the algorithm. */
const idSchema: v.GenericSchema<unknown, Digest> = v.pipe(
  v.unknown(),
  v.transform((id) => (typeof id === 'string' && /^[0-9a-f]{64}$/.test(id) ? `sha256:${id}` : id)),
  digestSchema,
);
const namesSchema = v.nullish(v.array(v.string()));
const manifestSchema = v.looseObject({
  ID: digestSchema,
  Available: v.boolean(),
  Descriptor: optional(descriptorSchema),
  ImageData: optional(v.looseObject({ Platform: optional(platformSchema) })),
});
const imageSchema = v.looseObject({
  Id: idSchema,
  RepoTags: namesSchema,
  RepoDigests: namesSchema,
  Config: optional(v.looseObject({ Labels: optional(stringsSchema) })),
  RootFS: optional(v.looseObject({ Layers: optional(v.array(digestSchema)) })),
  Architecture: v.optional(v.string(), ''),
  Os: v.optional(v.string(), ''),
  Variant: optional(v.string()),
  Size: v.optional(v.number(), 0),
  Created: optional(v.string()),
  Descriptor: optional(descriptorSchema),
  Manifests: optional(v.array(manifestSchema)),
});
const listSchema = v.nullable(
  v.array(
    v.looseObject({
      Id: idSchema,
      RepoTags: namesSchema,
      RepoDigests: namesSchema,
      Size: v.optional(v.number(), 0),
      Created: v.number(),
    }),
  ),
);

/** The images of a daemon and their names. */
export class Images {
  readonly #transport: Transport;
  readonly #ownDomain: string | undefined;

  /** @param ownDomain where the daemon keeps its own images; see {@link familiarNames} */
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
    if (reply.status !== 404) return this.#described(image, reply);
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
    const images = (await readJson(listSchema, reply, 'the list of images')) ?? [];
    return images.map(({ Id, RepoTags, RepoDigests, Size, Created }) => ({
      id: Id,
      names: familiarNames(RepoTags, this.#ownDomain),
      ...registryDigests(RepoDigests, this.#ownDomain),
      size: Size,
      created: new Date(Created * 1000).toISOString(),
    }));
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
    const reply = await this.#about(image, { signal, method: 'DELETE', path, timeout: 0 });
    await assertOk(reply, `to remove ${image}`);
    await drain(reply);
  }

  async #described(image: string, reply: DaemonReply): Promise<DaemonImage> {
    const found = await readJson(imageSchema, reply, `inspect of ${image}`);
    return {
      id: found.Id,
      names: familiarNames(found.RepoTags, this.#ownDomain),
      ...registryDigests(found.RepoDigests, this.#ownDomain),
      diffIds: found.RootFS?.Layers ?? [],
      ...(found.Config?.Labels && { labels: found.Config.Labels }),
      architecture: found.Architecture,
      os: found.Os,
      ...(found.Variant && { variant: found.Variant }),
      size: found.Size,
      ...(found.Created && { created: found.Created }),
      ...(found.Manifests && {
        manifests: found.Manifests.map((manifest) => ({
          digest: manifest.ID,
          available: manifest.Available,
          ...(manifest.Descriptor && { descriptor: bareDescriptor(manifest.Descriptor) }),
          ...(manifest.ImageData?.Platform && { platform: manifest.ImageData.Platform }),
        })),
      }),
      ...(found.Descriptor && { root: bareDescriptor(found.Descriptor) }),
    };
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
