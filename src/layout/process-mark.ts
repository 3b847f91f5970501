import { readFileSync, readlinkSync } from 'node:fs';
import { systemCode } from '../system-error.ts';

/** A boot of a machine and a namespace of process IDs: within both, an ID means one process. */
let place: string | undefined;

/** Names this process to others, in one line. Linux only: elsewhere it names nobody. */
export function ownMark(): string {
  place ??= ownPlace();
  return place === '' ? '' : `${place} ${process.pid}`;
}

/**
 * Whether the process that a mark names is known to have ended. False for processes that cannot be seen from here, and
 * for anything but a mark.
 */
export function hasEnded(mark: string): boolean {
  const [, where, pid] = /^(\S+ \S+) ([1-9]\d{0,9})$/.exec(mark) ?? [];
  place ??= ownPlace();
  if (pid === undefined || where !== place) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
}

function ownPlace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}
