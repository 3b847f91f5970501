import type { ReadStream } from 'node:fs';
import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of a file in `fixtures/`. */
export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
}

/** A fixture as a source of `save`. */
export function fixtureArchive(name: string): { archive: ReadStream } {
  return { archive: createReadStream(fixturePath(name)) };
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
