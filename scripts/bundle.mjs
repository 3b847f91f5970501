// Bundles `src` into `dist`: the package's exports with the code that they share as chunks, and the command line by itself.
// Each file costs a run a third of a millisecond to find. The command line has few chunks: it does without the borders
// between the exports, and what many commands share is one chunk. Packages stay imports where the sources have them, so
// that only the commands which need a package load it.
import { chmodSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const { bin, exports } = JSON.parse(readFileSync(path('package.json'), 'utf8'));
const nameOf = (file) => /dist\/(.+)\.js$/.exec(file)[1];
const library = Object.values(exports).flatMap((entry) =>
  entry.default === undefined ? [] : [nameOf(entry.default)],
);
// The command line as a function, for tests of what it loads. What the program shares with commands has a file of its own:
// if a command imported it from the program, importing the command line would run it. The library has the same file. It is
// not below `cli`: package.json says that importing a file there has effects, so a bundler may keep it in any program.
const program = entriesOf([...Object.values(bin).map(nameOf), 'cli/main', 'heap']);

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

function entriesOf(names) {
  return Object.fromEntries(names.map((name) => [name, path(`src/${name}.ts`)]));
}

/** Leaves out the chunks that no export of the package leads to. */
const libraryOnly = {
  name: 'library-only',
  generateBundle: (_, output) => {
    const wanted = new Set();
    const queue = library.map((name) => `${name}.js`);
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      if (wanted.has(name) || output[name] === undefined) continue;
      wanted.add(name);
      queue.push(...output[name].imports, ...output[name].dynamicImports);
    }
    for (const name of Object.keys(output)) if (!wanted.has(name)) delete output[name];
  },
};

async function write(input, output) {
  const bundle = await rolldown({
    input,
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
    entryFileNames: '[name].js',
    // The declarations hold the documentation; every run would read it here.
    comments: { jsdoc: false },
    ...output,
  });
}

// With the borders of the commands, too: they keep what a bundler takes from each chunk small.
await write(
  { ...entriesOf(library), ...program },
  { cleanDir: true, chunkFileNames: 'chunks/[name].js', plugins: [libraryOnly] },
);
await write(program, {
  chunkFileNames: 'cli/[name].js',
  codeSplitting: {
    groups: [
      // Loaded before the command is known, so it must not lead to what commands share.
      { name: 'program', test: /\/src\/cli\/main\.ts$/, priority: 1 },
      { name: 'shared', test: /\/src\//, minShareCount: 10 },
    ],
  },
});
chmodSync(path('dist/cli/bin.js'), 0o755);
