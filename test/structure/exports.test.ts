import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { reportOf, valuesOf } from './api-report.ts';

const ROOT = new URL('../../', import.meta.url);
/** One file for each entry. A change of one is a change of what programs see: `npx vitest run test/structure/exports.test.ts -u`. */
const REPORTS = new URL('api/', ROOT);
const MAIN = new URL('src/index.ts', ROOT);

/** The subpaths that are code: the targets of package.json. */
const TARGETS: { [subpath: string]: { types: string; default: string } } = codeTargets();

describe('the package', () => {
  const subpaths = Object.entries(TARGETS);

  test.each(subpaths)('%s has types and code from one source', (_, { types, default: code }) => {
    expect(code).toMatch(/^\.\/dist\/.*\.js$/);
    expect(types).toBe(code.replace(/\.js$/, '.d.ts'));
  });

  test.each(subpaths)(
    '%s declares what its report says',
    async (subpath, target) => {
      await expect(reportOf(sourceOf(target), MAIN)).toMatchFileSnapshot(reportFile(subpath));
    },
    60_000,
  );

  test.each(subpaths)(
    '%s exports at run time what it declares',
    async (_, target) => {
      const exported: Record<string, unknown> = await import(sourceOf(target).href);
      expect(Object.keys(exported).toSorted()).toEqual(valuesOf(sourceOf(target)));
    },
    60_000,
  );

  test.each(subpaths)('%s first sets what a realm lacks for `await using`', (_, target) => {
    const [first] = readFileSync(sourceOf(target), 'utf8').match(/^(?:import|export) .*$/m) ?? [];
    expect(first).toMatch(/^import '\.{1,2}\/disposal\.ts';$/);
  });

  test('has a report of each entry, and no other', () => {
    const names = Object.keys(TARGETS).map((subpath) => basename(reportFile(subpath)));
    expect(readdirSync(REPORTS).toSorted()).toEqual(names.toSorted());
  });
});

function codeTargets(): typeof TARGETS {
  const { exports }: { exports: typeof TARGETS } = JSON.parse(
    readFileSync(new URL('package.json', ROOT), 'utf8'),
  );
  return Object.fromEntries(Object.entries(exports).filter(([subpath]) => subpath !== './package.json'));
}

/** The source of a subpath: `./dist/exports/oci.js` -> src/exports/oci.ts. */
function sourceOf(target: { default: string }): URL {
  return new URL(target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts'), ROOT);
}

/** The report of a subpath: `./oci` -> api/drayage-oci.txt. */
function reportFile(subpath: string): string {
  return fileURLToPath(new URL(`drayage${subpath.slice(1).replaceAll('/', '-')}.txt`, REPORTS));
}
