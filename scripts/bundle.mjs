// Makes `dist` out of `src`: what the package exports and its command line as entries, and what they share as chunks.
// Of files by the hundred, half of the time of a short run went into finding them. Packages stay imports, where the
// sources have them: those that only some commands need are loaded by these alone.
import { chmodSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ENTRIES = [
  'index',
  'exports/oci',
  'exports/layout',
  'exports/docker',
  'exports/registry',
  'cli/bin',
  'cli/main',
];
const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

const bundle = await rolldown({
  input: Object.fromEntries(ENTRIES.map((name) => [name, path(`src/${name}.ts`)])),
  platform: 'node',
  // The helpers behind `await using` are the compiler's own and come from nowhere else.
  external: (id) => /^[^./]/.test(id) && !id.startsWith('@oxc-project/'),
  transform: { target: 'es2023' },
});
await bundle.write({
  dir: path('dist'),
  format: 'esm',
  cleanDir: true,
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name].js',
});
chmodSync(path('dist/cli/bin.js'), 0o755);
