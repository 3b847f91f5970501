/** Real cosigns of two generations, unpacked by scripts/install-system.sh. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandResult } from './run-command.ts';
import { run } from './run-command.ts';

/** The suite that a cosign comes from. */
export type CosignKind = 'trixie' | 'sid';

export const COSIGN_KINDS: readonly CosignKind[] = ['trixie', 'sid'];

const VERSIONS: Readonly<Record<CosignKind, RegExp>> = { trixie: /^2\.5\./, sid: /^3\./ };
const HOME = process.env['DRAYAGE_TEST_ROOT'] ?? '/var/lib/drayage-test';

/**
 * The reason to skip the tests of a cosign, or `undefined`.
 * @throws {Error} Instead of giving a reason, when DRAYAGE_REQUIRE_SYSTEM is 1.
 */
export function cosignSkipReason(kind: CosignKind): string | undefined {
  const reason = findReason(kind);
  if (reason !== undefined && process.env['DRAYAGE_REQUIRE_SYSTEM'] === '1') {
    throw new Error(`cosign of ${kind} is required but cannot run here: ${reason}`);
  }
  return reason;
}

/** Runs a cosign that knows nothing of this machine, and has no network but loopback to ask. */
export async function cosign(
  kind: CosignKind,
  args: readonly string[],
  { home, password = '' }: { home: string; password?: string },
): Promise<CommandResult> {
  const program = programOf(kind);
  // A network of its own, without a way out: whoever asks for TUF or a log fails.
  return run('unshare', ['--net', program, ...args], {
    env: { HOME: home, COSIGN_PASSWORD: password, PATH: process.env['PATH'] ?? '' },
  });
}

function findReason(kind: CosignKind): string | undefined {
  const program = programOf(kind);
  if (!existsSync(program)) return `no ${program}: run scripts/install-system.sh`;
  if (process.getuid?.() !== 0) return 'needs root';
  const stated = readFileSync(join(HOME, `cosign-${kind}`, '.complete'), 'utf8');
  if (!VERSIONS[kind].test(stated)) return `${program} is ${stated.trim()}, not ${VERSIONS[kind].source}`;
  try {
    execFileSync(program, ['version'], { stdio: ['ignore', 'pipe', 'pipe'] });
    return undefined;
  } catch (error) {
    return `${program} does not run: ${String(error)}`;
  }
}

function programOf(kind: CosignKind): string {
  return join(HOME, `cosign-${kind}`, 'usr/bin/cosign');
}
