import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isAbsent } from '../content/source.ts';
import { isImageManifest } from '../image/documents.ts';
import { walk } from '../image/contents.ts';
import { readConfig } from '../image/image.ts';
import { configPlatform } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import { formatPlatform, matchesPlatform } from '../oci/platform.ts';
import { refusal } from './refusal.ts';

/**
 * Checks that an index lists each image for the platform that the image's config states. Nobody signed the index, only
 * the images: it must not call one of them by another platform.
 * @throws {@link DrayageError} `POLICY`; errors of `place` for damaged content
 */
export async function assertOwnPlatforms(
  root: Descriptor,
  place: ContentSource,
  options: ContentOptions,
): Promise<void> {
  const listed: Descriptor[] = [];
  const own = new Map<Digest, Platform>();
  for await (const node of walk(place, root, options)) {
    if (node.kind === 'index') listed.push(...node.document.value.manifests);
    if (node.kind !== 'manifest' || !isImageManifest(node.document)) continue;
    const { config } = node.document.value;
    if (await isAbsent(place, config, options)) continue;
    const read = await readConfig(place, node.document, options);
    own.set(node.document.descriptor.digest, configPlatform(read.config.value));
  }
  for (const { digest, platform } of listed) {
    const actual = own.get(digest);
    if (platform === undefined || actual === undefined || isFor(platform, actual)) continue;
    const [stated, found] = [formatPlatform(platform), formatPlatform(actual)];
    throw refusal('CONTRADICTION', `the index lists ${digest} for ${stated}, and it is for ${found}`, {
      digest,
      expected: found,
      actual: stated,
    });
  }
}

/** A config without a platform, or without a variant, leaves that to the index. */
function isFor(stated: Platform, { os, architecture, variant }: Platform): boolean {
  const isOpen = os === '' || architecture === '';
  const wanted = variant === undefined ? { os, architecture } : { os, architecture, variant };
  return isOpen || matchesPlatform(wanted, stated);
}
