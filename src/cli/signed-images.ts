import type { SignResult } from '../index.ts';
import { NO_NAME } from '../text/no-name.ts';

/** One line for each image. */
export function describeSigned({ images }: SignResult): string[] {
  return images.map(({ name, digest }) => `${name ?? NO_NAME}: signed ${digest}`);
}
