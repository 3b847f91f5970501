// The npm package, as `npm pack` makes it: package.json's prepack builds it.
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MANIFEST, ROOT, run } from './project.mjs';

/** What a package is built from. */
const SOURCES = [
  'src',
  'types',
  'scripts',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
];
const TEXTS = ['README.md', 'LICENSE'];

/** Writes `drayage-<version>.tgz`. Built in a copy: somebody may be using the `dist` that is here. */
export function makePackage(out) {
  const copy = mkdtempSync(join(tmpdir(), 'drayage-package-'));
  try {
    const files = [...SOURCES, ...TEXTS, ...MANIFEST.files.filter((name) => name.endsWith('.md'))];
    for (const name of files) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    run('npm', ['pack', '--silent', '--pack-destination', out], { cwd: copy });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
