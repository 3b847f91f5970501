import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What package.json says. */
export const MANIFEST = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));

/** Runs a program and returns what it prints; what it prints to standard error passes through. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${result.status}`);
  return result.stdout;
}

/** The time of a release, in seconds since 1970: that of its commit, or SOURCE_DATE_EPOCH where there is no git. */
export function releaseTime() {
  const { SOURCE_DATE_EPOCH: stated } = process.env;
  return Number(stated ?? run('git', ['log', '-1', '--format=%ct']).trim());
}
