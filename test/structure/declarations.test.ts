import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));
const ENTRIES = ['index.ts', ...readdirSync(join(SRC, 'exports')).map((file) => `exports/${file}`)];

/** What the declarations of the package import, by file: only those that an entry leads to are in the package. */
function declaredImports(): Map<string, string[]> {
  const reached = new Map<string, string[]>();
  const queue = ENTRIES.map((entry) => join(SRC, entry));
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (reached.has(file)) continue;
    const { outputText } = ts.transpileDeclaration(readFileSync(file, 'utf8'), {
      fileName: file,
      // Examples in comments import the package.
      compilerOptions: { removeComments: true },
    });
    const found = [...outputText.matchAll(/(?:from|import\(?)\s*['"]([^'"]+)['"]/g)].map(
      ([, name = '']) => name,
    );
    reached.set(file, found);
    for (const name of found) if (name.startsWith('.')) queue.push(join(file, '..', name));
  }
  return reached;
}

// Here, because a busy machine may need longer than a test may take.
const imports = declaredImports();

test('the declarations of the package name no type of another package, such as a schema', () => {
  expect(imports.size).toBeGreaterThan(100);
  const foreign = [...imports].flatMap(([file, names]) =>
    names
      .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
      .map((name) => `${file}: ${name}`),
  );
  expect(foreign).toEqual([]);
});
