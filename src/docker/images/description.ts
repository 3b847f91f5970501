import * as v from 'valibot';
import type { EndpointImage, NamedImage } from '../../content/endpoint.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { bareDescriptor } from '../../oci/descriptor.ts';
import { descriptorSchema } from '../../oci/descriptor-schema.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestSchema, optional, stringsSchema } from '../../oci/parse.ts';
import { optionalPlatform } from '../../oci/platform-schema.ts';
import { familiarNames, registryDigests } from './names.ts';
import { readJson } from '../connect/reply.ts';
import type { DaemonReply } from '../connect/transport.ts';

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

/** A manifest of a containerd store, and the image that it belongs to. */
export interface ListedManifest {
  /** The daemon's ID of the image. */
  id: Digest;
  /** With its annotations: BuildKit's state the digest of the config. */
  descriptor: Descriptor;
}

/** One line of a daemon's list of images. */
export interface ImageSummary extends NamedImage {
  /** Bytes; see {@link DaemonImage}. */
  size: number;
  /** RFC 3339 time of the build. */
  created: string;
}

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
  ImageData: optional(v.looseObject({ Platform: optionalPlatform })),
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

const manifestListSchema = v.nullable(
  v.array(v.looseObject({ Id: idSchema, Manifests: optional(v.array(manifestSchema)) })),
);

/** Reads a daemon's description of an image. */
export async function readDescription(
  reply: DaemonReply,
  image: string,
  ownDomain: string | undefined,
): Promise<DaemonImage> {
  const found = await readJson(imageSchema, reply, `inspect of ${image}`);
  return {
    id: found.Id,
    names: familiarNames(found.RepoTags, ownDomain),
    ...registryDigests(found.RepoDigests, ownDomain),
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

/** Reads a daemon's list of images. */
export async function readList(reply: DaemonReply, ownDomain: string | undefined): Promise<ImageSummary[]> {
  const images = (await readJson(listSchema, reply, 'the list of images')) ?? [];
  return images.map(({ Id, RepoTags, RepoDigests, Size, Created }) => ({
    id: Id,
    names: familiarNames(RepoTags, ownDomain),
    ...registryDigests(RepoDigests, ownDomain),
    size: Size,
    created: new Date(Created * 1000).toISOString(),
  }));
}

/** Reads the complete manifests in a daemon's list of images; of a daemon that lists none, nothing. */
export async function readManifests(reply: DaemonReply): Promise<ListedManifest[]> {
  const images = (await readJson(manifestListSchema, reply, 'the list of images')) ?? [];
  return images.flatMap(({ Id, Manifests = [] }) =>
    Manifests.flatMap(({ Available, Descriptor: descriptor }) =>
      Available && descriptor !== undefined ? [{ id: Id, descriptor }] : [],
    ),
  );
}
