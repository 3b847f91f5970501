import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadedWith } from '../structure/import-table.ts';

/** The files of a folder in which the command line is, by their paths. */
function filesIn(folder: string): Map<string, string> {
  const root = new URL(`../../${folder}/`, import.meta.url);
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return new Map(
    names
      .filter((name) => /(?<!\.d)\.[jt]s$/.test(name))
      .map((name) => [name, readFileSync(new URL(name, root), 'utf8')]),
  );
}

describe('before the command is known, there are loaded', () => {
  const loaded = loadedWith(filesIn('src'), 'cli/main.ts');

  test('files of the command line alone, no command among them', () => {
    expect(loaded).toContain('cli/grammar/options.ts');
    const files = loaded.filter((name) => name.endsWith('.ts'));
    expect(
      files.filter(
        (name) =>
          !/^(?:(?:errors|system-error|budget)\.ts|text\/[a-z-]+\.ts|cli\/(?:grammar\/)?[a-z-]+\.ts)$/.test(
            name,
          ),
      ),
    ).toEqual([]);
  });

  test('the parser, and no other package', () => {
    const packages = loaded.filter((name) => !name.endsWith('.ts') && !name.startsWith('node:'));
    expect(packages).toEqual(['commander']);
  });

  test('few kilobytes of what is built', () => {
    const built = filesIn('dist');
    const sizes = loadedWith(built, 'cli/main.js').map((name) => built.get(name)?.length ?? 0);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThan(10_000);
    // Measured: 45.1 kB.
    expect(total).toBeLessThan(47_000);
  });
});
