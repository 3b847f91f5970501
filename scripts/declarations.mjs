// Removes from `dist` the declarations that no export of the package leads to.
import { existsSync, readdirSync, readFileSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const wanted = new Set();
const queue = Object.values(exports).flatMap(({ types }) => (types === undefined ? [] : [join(root, types)]));
for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
  if (wanted.has(file)) continue;
  wanted.add(file);
  const text = readFileSync(file, 'utf8');
  for (const [, specifier] of text.matchAll(/(?:from|import\(?)\s*['"](\.[^'"]+)\.[jt]s['"]/g))
    queue.push(`${join(file, '..', specifier)}.d.ts`);
}
const dist = join(root, 'dist');
for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' }).toSorted().toReversed()) {
  const path = join(dist, name);
  if (name.endsWith('.d.ts')) {
    if (!wanted.has(path)) rmSync(path);
  } else if (!/\.\w+$/.test(name) && existsSync(path) && readdirSync(path).length === 0) {
    rmdirSync(path);
  }
}
