import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/** The shape of {@link makeDeepTree}. Default: few folders with long names. */
interface Shape {
  name?: string;
  parts?: number;
  levels?: number;
}

/** Folders in each other, deeper than a path can say. They are made in parts, each put into the next one. */
export function makeDeepTree(
  path: string,
  { name = 'd'.repeat(200), parts = 3, levels = 12 }: Shape = {},
): void {
  for (let i = 0; i < parts; i++) {
    const part = `${path}-${i}`;
    const innermost = join(part, ...Array.from({ length: levels }, () => name));
    mkdirSync(innermost, { recursive: true });
    if (i > 0) renameSync(`${path}-${i - 1}`, join(innermost, name));
  }
  renameSync(`${path}-${parts - 1}`, path);
}
