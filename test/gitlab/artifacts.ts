import type { GitLabOptions } from '../../src/gitlab/api.ts';
import { GitLab } from '../../src/gitlab/gitlab.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestAlgorithm, digestHex } from '../../src/oci/digest.ts';
import type { FakeGitLab } from '../support/fake-gitlab.ts';
import { JOB_TOKEN } from '../support/fake-gitlab.ts';
import type { ZipFileOptions } from '../support/zip-bytes.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';

/** The files of a layout that holds these blobs. */
export function layoutFiles(
  blobs: Iterable<[Descriptor, Uint8Array]>,
  { folder = '.drayage/123', manifests = [] }: { folder?: string; manifests?: Descriptor[] } = {},
): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const [{ digest }, bytes] of blobs) {
    files.set(`${folder}/blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`, Buffer.from(bytes));
  }
  files.set(`${folder}/index.json`, Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
  files.set(`${folder}/oci-layout`, Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  return files;
}

/** The files of a layout with an image, under a name where there is one. */
export function imageFiles(image: SampleImage, name?: string, folder = '.drayage/123'): Map<string, Buffer> {
  const annotations =
    name === undefined ? undefined : { 'io.containerd.image.name': `docker.io/library/${name}` };
  return layoutFiles(image.blobs, { folder, manifests: [{ ...image.root, annotations }] });
}

/** The same files as entries of a zip. */
export function zipped(
  files: ReadonlyMap<string, Buffer>,
  options: Partial<ZipFileOptions> = {},
): ZipFileOptions[] {
  return [...files].map(([path, bytes]) => ({ path, bytes, ...options }));
}

/** Names blobs. */
export function named(blobs: readonly Uint8Array[]): [Descriptor, Uint8Array][] {
  return blobs.map((bytes) => [describeBytes(bytes), bytes]);
}

/** The pauses that were waited for, instead of waiting. */
export interface Pauses {
  pauses: number[];
}

/** A client of a fake, with the job token, that waits for nothing. */
export function clientOf(fake: FakeGitLab, options: Partial<GitLabOptions> = {}): GitLab & Pauses {
  const pauses: number[] = [];
  const retry = { delay: async (milliseconds: number) => void pauses.push(milliseconds) };
  return Object.assign(new GitLab({ url: fake.url, jobToken: JOB_TOKEN, retry, ...options }), { pauses });
}

/** Bytes that do not compress, always the same ones. */
export function noise(length: number, seed = 1): Buffer {
  let state = seed;
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
