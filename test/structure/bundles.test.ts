import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { OutputChunk } from 'rolldown';
import { rolldown } from 'rolldown';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A program of somebody else, by its text, in a folder where the package is found by its name. */
const PROGRAM = join(ROOT, 'a-program.js');

interface Sizes {
  /** Minified bytes that are loaded when the program starts. */
  atStart: number;
  /** Minified bytes of the whole bundle: with all that the program may load later. */
  total: number;
  /** The text of the whole bundle. */
  code: string;
}

/** Bundles a program that uses one export, with every package that it needs. */
async function bundleOf(name: string, from: string): Promise<Sizes> {
  const bundle = await rolldown({
    input: PROGRAM,
    platform: 'node',
    plugins: [
      {
        name: 'a-program',
        resolveId: (id) => (id === PROGRAM ? id : undefined),
        load: (id) =>
          id === PROGRAM ? `import { ${name} } from '${from}'; console.log(${name});` : undefined,
      },
    ],
  });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  const chunks = output.filter((file) => file.type === 'chunk');
  return {
    atStart: bytesOf(loadedFirst(chunks)),
    total: bytesOf(chunks),
    code: chunks.map(({ code }) => code).join('\n'),
  };
}

/** The entry, and what its static imports lead to. */
function loadedFirst(chunks: readonly OutputChunk[]): OutputChunk[] {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const loaded = new Set<OutputChunk>();
  const visit = (chunk: OutputChunk | undefined): void => {
    if (chunk === undefined || loaded.has(chunk)) return;
    loaded.add(chunk);
    for (const file of chunk.imports) visit(byName.get(file));
  };
  visit(chunks.find(({ isEntry }) => isEntry));
  return [...loaded];
}

function bytesOf(chunks: readonly OutputChunk[]): number {
  return chunks.reduce((sum, { code }) => sum + Buffer.byteLength(code), 0);
}

describe('a bundle holds what is used, whichever entry it is imported from:', () => {
  test.each([
    // Measured: 0.1, 0.4, 353, 353, 454 and 454 kB.
    ['isDigest', 'drayage/oci', 8],
    ['isDigest', 'drayage', 8],
    ['Registry', 'drayage/registry', 500],
    ['Registries', 'drayage', 500],
    ['connectDocker', 'drayage/docker', 500],
    ['connectDocker', 'drayage', 500],
  ])('%s of %s', async (name, from, kilobytes) => {
    const { total } = await bundleOf(name, from);
    expect(total).toBeGreaterThan(100);
    expect(total).toBeLessThan(kilobytes * 1000);
  });

  test.each(['drayage', 'drayage/oci'])(
    'isDigest of %s, without modules that it does not use',
    async (from) => {
      const { code } = await bundleOf('isDigest', from);
      // That is where the symbol of `await using` is found.
      expect(code.match(/\bnode:\w+/g)).toEqual(['node:stream']);
    },
  );

  test.each(['drayage', 'drayage/layout'])(
    'Layout of %s, and its changes only when one is made',
    async (from) => {
      const { atStart, total } = await bundleOf('Layout', from);
      // Measured: 63.6 kB at its start, 9 kB of it valibot, and 90.9 kB with changes.
      expect(atStart).toBeGreaterThan(20_000);
      expect(atStart).toBeLessThan(65_000);
      expect(total).toBeGreaterThan(atStart);
      expect(total).toBeLessThan(93_000);
    },
  );

  test.each(['drayage', 'drayage/layout'])(
    'from %s, what a realm lacks for `await using` is set, too',
    async (from) => {
      const { code } = await bundleOf('Layout', from);
      expect(/defineProperty\(Symbol,.asyncDispose/.test(code)).toBe(true);
    },
  );
});

test('the library imports no file of the command line, all of which count as having effects', () => {
  const files = ['.', 'exports', 'chunks'].flatMap((folder) =>
    readdirSync(join(ROOT, 'dist', folder))
      .filter((name) => name.endsWith('.js'))
      .map((name) => join(folder, name)),
  );
  expect(files).toContain('index.js');
  const leading = files.filter((file) =>
    /["']\.{1,2}\/cli\//.test(readFileSync(join(ROOT, 'dist', file), 'utf8')),
  );
  expect(leading).toEqual([]);
});
