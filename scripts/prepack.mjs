// Before `npm pack` and `npm publish`: builds the package, and pins what an installation of it gets by npm-shrinkwrap.json,
// the lock file without what only development needs. `node scripts/prepack.mjs --undo` removes that file again.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { run } from './release/project.mjs';

const path = (name) => new URL(`../${name}`, import.meta.url);

if (process.argv.includes('--undo')) {
  rmSync(path('npm-shrinkwrap.json'), { force: true });
} else {
  run(process.execPath, ['scripts/bootstrap.mjs']);
  run('npm', ['run', '--silent', 'build']);
  const lock = JSON.parse(readFileSync(path('package-lock.json'), 'utf8'));
  const installed = Object.entries(lock.packages).filter(([, entry]) => !entry.dev && !entry.devOptional);
  const { devDependencies: _, ...root } = lock.packages[''];
  lock.packages = { ...Object.fromEntries(installed), '': root };
  writeFileSync(path('npm-shrinkwrap.json'), `${JSON.stringify(lock, null, 2)}\n`);
}
