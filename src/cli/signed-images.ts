import type { SignResult } from '../index.ts';

/** One line for each image. */
export function describeSigned({ images }: SignResult): string[] {
  return images.map(({ name, digest }) => `${name ?? '(no name)'}: signed ${digest}`);
}
