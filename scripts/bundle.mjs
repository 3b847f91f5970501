// Makes `dist` out of `src`: what the package exports and its command line as entries, and what they share as chunks.
// Of files by the hundred, half of the time of a short run went into finding them. Packages stay imports, where the
// sources have them: those that only some commands need are loaded by these alone.
import { chmodSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const { bin, exports } = JSON.parse(readFileSync(path('package.json'), 'utf8'));
const files = [...Object.values(bin), ...Object.values(exports).flatMap((entry) => entry.default ?? [])];
// The command line as a function, for those who watch what it loads.
const entries = [...files.map((file) => /dist\/(.+)\.js$/.exec(file)[1]), 'cli/main'];

const bundle = await rolldown({
  input: Object.fromEntries(entries.map((name) => [name, path(`src/${name}.ts`)])),
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
