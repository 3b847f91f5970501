import { DrayageError } from '../errors.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import type { Document } from './manifest.ts';
import type { Platform } from './platform.ts';
import { formatPlatform, isSamePlatform } from './platform.ts';
import { buildIndex } from './image-index.ts';

/** A manifest of an image, with its platform. */
export type PlatformManifest = Descriptor & { platform: Platform };

/** A part of a multi-platform image: a manifest, or an index of several. */
export interface PlatformPart {
  root: Descriptor;
  /** The image manifests that are present: those of its index, or its only one. */
  manifests: readonly PlatformManifest[];
  /** Other present entries of its index: attestations. */
  others: readonly Descriptor[];
  /** All digests that its index lists, present or absent; for a manifest its own digest. */
  listed: ReadonlySet<Digest>;
}

/**
 * Makes one image index (OCI image-spec, image-index.md) of several images with one name, each for its own platforms:
 * the manifests sorted by platform, then the other entries. The same parts give the same bytes in any order. If the
 * index of one part lists everything already, it is used as it is.
 * @returns the root; with its bytes if it is new
 * @throws {@link DrayageError} `AMBIGUOUS` if two parts have different images for one platform
 */
export function platformIndex(
  name: string,
  parts: readonly PlatformPart[],
): { root: Descriptor; document?: Document } {
  const sorted = parts.toSorted((a, b) => compare(a.root.digest, b.root.digest));
  assertDistinct(name, sorted);
  const manifests = unique(sorted.flatMap((part) => part.manifests));
  const others = unique(sorted.flatMap((part) => part.others));
  const all = [...manifests, ...others].map(({ digest }) => digest);
  const whole = sorted.find(({ listed }) => all.every((digest) => listed.has(digest)));
  if (whole !== undefined) return { root: whole.root };
  const entries = [
    ...manifests.toSorted((a, b) => compare(keyOf(a), keyOf(b))),
    ...others.toSorted((a, b) => compare(a.digest, b.digest)),
  ].map(toEntry);
  const document = buildIndex(entries);
  return { root: document.descriptor, document };
}

/** Images of one part may be for one platform: its author distinguishes them. */
function assertDistinct(name: string, parts: readonly PlatformPart[]): void {
  for (const [i, part] of parts.entries()) {
    for (const before of parts.slice(0, i)) {
      if (part.manifests.length === 0 || before.manifests.length === 0)
        throw twoImages(name, undefined, [before.root.digest, part.root.digest]);
      for (const manifest of part.manifests) {
        const other = before.manifests.find((known) => mayStandFor(known, manifest));
        if (other === undefined || other.digest === manifest.digest) continue;
        throw twoImages(name, manifest.platform, [before.root.digest, part.root.digest]);
      }
    }
  }
}

/** An image that states no platform may be for any. */
function mayStandFor({ platform: a }: PlatformManifest, { platform: b }: PlatformManifest): boolean {
  return isSamePlatform(a, b) || [a, b].some(({ os, architecture }) => os === '' || architecture === '');
}

/** The error for a name that means more than one image. */
function twoImages(
  name: string,
  platform: Platform | undefined,
  digests: readonly [Digest, Digest],
): DrayageError {
  const what = platform?.os ? ` for ${formatPlatform(platform)}` : '';
  return new DrayageError('AMBIGUOUS', `${name} means two images${what}: ${digests.join(' and ')}`, {
    reason: 'TWO_IMAGES',
    hint: 'leave one of the layouts out, or choose the image by its digest',
    candidates: [...digests],
  });
}

function unique<T extends Descriptor>(descriptors: readonly T[]): T[] {
  const byDigest = new Map<Digest, T>();
  for (const found of descriptors) byDigest.set(found.digest, byDigest.get(found.digest) ?? found);
  return [...byDigest.values()];
}

function keyOf({ platform, digest }: PlatformManifest): string {
  return `${formatPlatform(platform)} ${platform['os.version'] ?? ''} ${digest}`;
}

/** As docker writes it: keys in this order, and nothing embedded. */
function toEntry({ mediaType, digest, size, annotations, platform, artifactType }: Descriptor): Descriptor {
  return { mediaType, digest, size, artifactType, annotations, platform: platform && inOrder(platform) };
}

/** Architecture first, then the operating system, then the rest. */
function inOrder({ architecture, os, ...rest }: Platform): Platform {
  return { architecture, os, ...rest };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
