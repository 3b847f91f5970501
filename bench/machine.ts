/** What kind of machine this is; nothing that tells which one. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';

/** `2 vCPU, no SHA instructions, Linux 6.1.0, Node 20.19.0 and 24.1.0` */
export function describeMachine(nodes: readonly string[]): string {
  const versions = nodes.map((node) =>
    execFileSync(node, ['--version'], { encoding: 'utf8' }).trim().slice(1),
  );
  const kernel = /^[\d.]+/.exec(release())?.[0] ?? '';
  return [
    `${availableParallelism()} vCPU`,
    hasShaInstructions(readFileSync('/proc/cpuinfo', 'utf8')) ? 'SHA instructions' : 'no SHA instructions',
    `Linux ${kernel}`,
    `Node ${[...new Set(versions)].join(' and ')}`,
  ].join(', ');
}

/** Whether the CPU hashes SHA-256 itself, by the flags (x86) or features (ARM) in `/proc/cpuinfo`. */
export function hasShaInstructions(cpuinfo: string): boolean {
  return /^(?:flags|Features)\s*:.*\b(?:sha_ni|sha2)\b/m.test(cpuinfo);
}
