import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Builds `dist` before the tests, without declarations, so that they run the command line as users do. */
export function setup(): void {
  const script = fileURLToPath(new URL('../../scripts/bundle.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script]);
  if (status !== 0) throw new Error(`the build failed:\n${String(stderr)}`);
}
