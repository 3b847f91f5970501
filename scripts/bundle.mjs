// Bundles `src` into `dist`. The entries are the package's exports and its command line; the code that they share becomes
// chunks. With hundreds of files, a short run spent half of its time on finding them. Packages stay imports where the
// sources have them, so that only the commands which need a package load it.
import { chmodSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const { bin, exports } = JSON.parse(readFileSync(path('package.json'), 'utf8'));
const files = [...Object.values(bin), ...Object.values(exports).flatMap((entry) => entry.default ?? [])];
// The command line as a function, for tests of what it loads.
const entries = [...files.map((file) => /dist\/(.+)\.js$/.exec(file)[1]), 'cli/main'];

const bundle = await rolldown({
  input: Object.fromEntries(entries.map((name) => [name, path(`src/${name}.ts`)])),
  platform: 'node',
  // The helpers behind `await using` belong to the compiler; no package has them, so they are bundled.
  external: (id) => /^[^./]/.test(id) && !id.startsWith('@oxc-project/'),
  transform: { target: 'es2023' },
});
await bundle.write({
  dir: path('dist'),
  format: 'esm',
  cleanDir: true,
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name].js',
  // The declarations hold the documentation; every run would read it here.
  comments: { jsdoc: false },
});
chmodSync(path('dist/cli/bin.js'), 0o755);
