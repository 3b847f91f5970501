// Installs the locked dependencies if they are missing or stale, so that every command works on a fresh clone.
// Uses Node built-ins only, because it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const MINIMUM = [20, 19];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < MINIMUM[0] || (major === MINIMUM[0] && minor < MINIMUM[1])) {
  console.error(`drayage needs Node ${MINIMUM.join('.')} or newer; this is ${process.version}.`);
  process.exit(1);
}

/** name -> version of every package that a lock file requires; undefined if there is no such file. */
function versions(file) {
  try {
    const { packages } = JSON.parse(readFileSync(join(root, file), 'utf8'));
    const required = Object.entries(packages).filter(([path, p]) => path !== '' && !p.optional && !p.peer);
    return new Map(required.map(([path, p]) => [path, p.version]));
  } catch {
    return undefined;
  }
}

// What an interrupted `npm pack` left behind: npm would take it for the lock file.
rmSync(join(root, 'npm-shrinkwrap.json'), { force: true });

const wanted = versions('package-lock.json');
const installed = versions('node_modules/.package-lock.json');
const current =
  installed && wanted && [...wanted].every(([path, version]) => installed.get(path) === version);

if (!current) {
  console.error('Installing the locked dependencies (npm ci) …');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] };
  const result = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
