import { randomUUID } from 'node:crypto';
import type { ContentOptions } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import { buildConfig, buildManifest } from '../oci/manifest.ts';
import { once } from '../stream/tap.ts';
import { deleteManifest, describeManifest, putManifest } from './manifests.ts';
import type { RepositoryAddress } from './repository-address.ts';
import { uploadBlob } from './upload-blob.ts';

/**
 * Removes a tag. The manifest stays under its digest and its other tags. If a registry deletes only manifests, with all
 * their tags, the tag is first moved to a separate manifest.
 * @returns whether it was there at the start
 * @throws {@link DrayageError} `UNSUPPORTED` if the registry deletes nothing; then the tag has not moved
 */
export async function removeTag(
  repository: RepositoryAddress,
  tag: string,
  options: ContentOptions = {},
): Promise<boolean> {
  options.signal?.throwIfAborted();
  if ((await describeManifest(repository, tag, options)) === undefined) return false;
  try {
    if (await deleteManifest(repository, tag, options)) return true;
    // The tag is gone: mostly by a request whose answer was lost. Or the registry knows no tags in deletions.
    if ((await describeManifest(repository, tag, options)) === undefined) return true;
  } catch (error) {
    if (!isDrayageError(error, 'UNSUPPORTED')) throw error;
  }
  await removeByPlaceholder(repository, tag, options);
  return true;
}

async function removeByPlaceholder(
  repository: RepositoryAddress,
  tag: string,
  options: ContentOptions,
): Promise<void> {
  // A unique manifest: deleting it removes no other tag.
  const config = buildConfig({
    architecture: 'unknown',
    os: 'unknown',
    config: { Labels: { 'dev.drayage.untag': randomUUID() } },
    rootfs: { type: 'layers', diff_ids: [] },
  });
  await uploadBlob(repository, config.descriptor, async () => once(config.bytes), options);
  const placeholder = buildManifest(config.descriptor, []);
  const { digest } = placeholder.descriptor;
  try {
    // First without the tag: a registry that deletes nothing must not move it.
    await putManifest(repository, placeholder, digest, options);
    await deleteManifest(repository, digest, options);
  } catch (cause) {
    if (!isDrayageError(cause, 'UNSUPPORTED')) throw cause;
    throw new DrayageError(
      'UNSUPPORTED',
      `${repository.name}: the registry deletes neither tags nor manifests`,
      {
        cause,
        hint: 'its administrator must allow it (docker-registry: storage.delete.enabled)',
      },
    );
  }
  await putManifest(repository, placeholder, tag, options);
  await deleteManifest(repository, digest, options);
}
