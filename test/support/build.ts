import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Builds `dist` before the tests, so that they run the command line as users do. */
export function setup(): void {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd });
  if (status !== 0) throw new Error(`the build failed:\n${String(stdout)}`);
}
