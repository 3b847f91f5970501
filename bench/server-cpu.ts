/** CPU time of processes that serve the contenders. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What the kernel counts in: USER_HZ, which is 100 on every architecture that node runs on. */
const TICKS_PER_SECOND = 100;

/** Seconds used so far by all processes in the PID namespace of process `pid`, and by the children they waited for. */
export function namespaceCpuSeconds(pid: number): number {
  const namespace = namespaceOf(pid);
  const members = readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && namespaceOf(name) === namespace,
  );
  return members.reduce((total, member) => total + processCpuSeconds(member), 0);
}

/** Seconds used so far by one process and by the children it waited for; 0 when it has ended. */
export function processCpuSeconds(pid: number | string): number {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return 0;
  }
}

/** Seconds in the text of `/proc/<pid>/stat`: utime, stime, cutime, cstime. */
export function parseStat(text: string): number {
  // The name in parentheses may hold anything; the fields after it are counted from 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((total, field) => total + Number(field), 0);
  return ticks / TICKS_PER_SECOND;
}

function namespaceOf(pid: number | string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}
