// The command line as one file: `drayage.mjs` needs nothing but Node >= 20.19.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import { MANIFEST, ROOT } from './project.mjs';

/** Writes `drayage.mjs`, and the licences of the packages that are in it. */
export async function makeBundle(out) {
  const file = join(out, 'drayage.mjs');
  const modules = await bundle(file, 'esm');
  chmodSync(file, 0o755);
  writeFileSync(join(out, 'THIRD-PARTY-LICENSES.txt'), licences(modules));
}

/**
 * Joins the command line and all packages that it uses into one minified file.
 * @param format `esm`, or `cjs`: the form that a single executable takes
 * @returns the paths of the modules that are in it
 */
export async function bundle(file, format) {
  const made = await rolldown({
    input: `${ROOT}src/cli/bin.ts`,
    platform: 'node',
    external: [/^node:/],
    transform: { target: 'es2023' },
    // What package.json says of effects is about the files of `dist`; the packages speak for themselves.
    treeshake: { moduleSideEffects: [{ test: /\/src\//, sideEffects: true }] },
    plugins: [statedVersion],
  });
  const { output } = await made.write({ file, format, minify: true, codeSplitting: false });
  return Object.keys(output[0].modules);
}

/** The file has no package.json beside it: the version is a part of it. */
const statedVersion = {
  name: 'stated-version',
  load: (id) =>
    id === `${ROOT}src/cli/version.ts`
      ? `export const version = () => ${JSON.stringify(MANIFEST.version)};`
      : undefined,
};

function licences(modules) {
  const folders = new Set(modules.flatMap((path) => packageFolder(path) ?? []));
  const texts = [...folders]
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      const text = file === undefined ? '' : `\n\n${readFileSync(join(folder, file), 'utf8').trim()}`;
      return `${name} ${version} (${license})${text}\n`;
    });
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

/** The folder of the package that a module is of; undefined for the project's own. */
function packageFolder(path) {
  if (!path.includes('/node_modules/')) return undefined;
  let folder = dirname(path);
  while (!isPackage(folder)) folder = dirname(folder);
  return folder;
}

/** A folder inside a package may have a package.json that states no more than how its files are read. */
function isPackage(folder) {
  const file = join(folder, 'package.json');
  return existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).version !== undefined;
}
