import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestHex } from '../../src/oci/digest.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';

/** A layout as a builder writes it, without the help of this project. */
export interface BuilderLayout {
  /** What lies in it, whether index.json names it or not. */
  content: readonly SampleImage[];
  entries: readonly Descriptor[];
  /** Older builders leave `oci-layout` out. Default true. */
  isMarked?: boolean;
}

/** Writes it into a folder. */
export async function writeBuilderLayout(
  path: string,
  { content, entries, isMarked = true }: BuilderLayout,
): Promise<void> {
  await mkdir(path, { recursive: true });
  for (const [{ digest }, bytes] of content.flatMap(({ blobs }) => blobs)) {
    const file = join(path, 'blobs/sha256', digestHex(digest));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
  }
  if (isMarked) await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}\n');
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: entries,
  };
  await writeFile(join(path, 'index.json'), JSON.stringify(index, undefined, 2));
}

/** An entry as BuildKit writes it: containerd's name, and the tag alone. */
export function buildkitEntry({ root }: SampleImage, name: string, tag: string): Descriptor {
  return {
    ...root,
    annotations: {
      'io.containerd.image.name': `docker.io/library/${name}:${tag}`,
      'org.opencontainers.image.ref.name': tag,
    },
  };
}

/** An entry with another tool's word, or without any. */
export function entryOf({ root }: SampleImage, word?: string): Descriptor {
  return word === undefined ? root : { ...root, annotations: { 'org.opencontainers.image.ref.name': word } };
}
