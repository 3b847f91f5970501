// Bundles `src` into `dist`. The entries are the package's exports and its command line; the code that they share becomes
// chunks. With hundreds of files, a short run spent half of its time on finding them. Packages stay imports where the
// sources have them, so that only the commands which need a package load it.
import { chmodSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const { bin, exports } = JSON.parse(readFileSync(path('package.json'), 'utf8'));
const files = [...Object.values(bin), ...Object.values(exports).flatMap((entry) => entry.default ?? [])];
// The command line as a function, for tests of what it loads. What the program shares with commands has a file of its own:
// if a command imported it from the program, importing the command line would run it.
const entries = [...files.map((file) => /dist\/(.+)\.js$/.exec(file)[1]), 'cli/main', 'heap'];

const index = path('src/index.ts');
/** The files that the index exports from, by exported name. */
const origins = new Map();
for (const [, names, file] of readFileSync(index, 'utf8').matchAll(/^export \{([^}]+)\} from '(.+)';$/gm))
  for (const name of namesIn(names)) origins.set(name, resolve(index, '..', file));

/**
 * Lets the command line import from the files behind the index. Through the index, every command would load the whole
 * library.
 */
const besideIndex = {
  name: 'beside-index',
  transform: {
    filter: { id: /\/src\/cli\/.+\.ts$/ },
    handler: (code, id) =>
      code.replaceAll(/^import \{([^}]+)\} from '([^']+)';$/gm, (statement, names, file) =>
        resolve(id, '..', file) === index ? namesIn(names).map(importOf).join(' ') : statement,
      ),
  },
};

function importOf(name) {
  const file = origins.get(name);
  if (file === undefined) throw new Error(`src/index.ts does not export ${name} from a file`);
  return `import { ${name} } from ${JSON.stringify(file)};`;
}

function namesIn(list) {
  return list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

const bundle = await rolldown({
  input: Object.fromEntries(entries.map((name) => [name, path(`src/${name}.ts`)])),
  platform: 'node',
  // The helpers behind `await using` belong to the compiler; no package has them, so they are bundled.
  external: (id) => /^[^./]/.test(id) && !id.startsWith('@oxc-project/'),
  transform: { target: 'es2023' },
  // What package.json says of effects is about the files of `dist`.
  treeshake: { moduleSideEffects: [{ test: /\/src\//, sideEffects: true }] },
  plugins: [besideIndex],
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
