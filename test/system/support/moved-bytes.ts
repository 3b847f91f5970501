/** How much a process has moved, by what the kernel counts. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const COUNTERS: Record<'read' | 'written', RegExp> = { read: /^rchar: (\d+)/m, written: /^wchar: (\d+)/m };

/** Waits until a process has read or written so many bytes, in files and sockets alike, or has ended. */
export async function untilMoved(
  pid: number | undefined,
  direction: 'read' | 'written',
  bytes: number,
): Promise<void> {
  for (;;) {
    const counters = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => undefined);
    if (counters === undefined) return;
    if (Number(COUNTERS[direction].exec(counters)?.[1] ?? 0) >= bytes) return;
    await sleep(5);
  }
}
