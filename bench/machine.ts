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

/** The commit of this folder, and a `+` if files were changed. */
export function describeCommit(): string {
  return `${git('rev-parse', '--short=10', 'HEAD')}${git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+'}`;
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
}

/** What kind of machine a description is of: figures of another kind are kept beside it. */
export function kindOfMachine(description: string): string {
  return description.split(', Linux')[0] ?? '';
}

/** Whether the CPU hashes SHA-256 itself, by the flags (x86) or features (ARM) in `/proc/cpuinfo`. */
export function hasShaInstructions(cpuinfo: string): boolean {
  return /^(?:flags|Features)\s*:.*\b(?:sha_ni|sha2)\b/m.test(cpuinfo);
}
