import type { ReadStream } from 'node:fs';
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { extract } from 'tar-stream';

/** The path of a file in `fixtures/`. */
export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
}

/** A fixture as a source of `save`. */
export function fixtureArchive(name: string): { archive: ReadStream } {
  return { archive: createReadStream(fixturePath(name)) };
}

/** Unpacks a fixture into a folder. @returns the folder */
export async function unpackFixture(name: string, folder: string): Promise<string> {
  for await (const entry of createReadStream(fixturePath(name)).pipe(extract())) {
    const path = join(folder, entry.header.name);
    await mkdir(dirname(path), { recursive: true });
    const bytes = await buffer(entry);
    if (entry.header.type === 'file') await writeFile(path, bytes);
  }
  return folder;
}

/** What fixtures/expected.json says of an image, and of the entries of its index.json. */
interface Expected {
  images: { configDigest?: string | undefined; diffIds?: string[] | undefined }[];
  manifests?: { children?: { configDigest?: string; diffIds?: string[] }[] }[] | undefined;
}

/** The layers that come with an image: of several platforms, those of all of them. */
export function carriedLayers(
  { configDigest, diffIds = [] }: Expected['images'][number],
  { manifests = [] }: Pick<Expected, 'manifests'>,
): string[] {
  const index = manifests.find(({ children = [] }) =>
    children.some((child) => child.configDigest === configDigest),
  );
  return index?.children?.flatMap((child) => child.diffIds ?? []) ?? diffIds;
}
