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
