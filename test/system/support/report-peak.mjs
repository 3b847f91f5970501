// Preloaded into a process: the kernel's own account of its peak, read as late as can be.
import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  process.on('exit', () => {
    const [, kilobytes] = /VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
    writeFileSync(process.env.PEAK_FILE, String(kilobytes * 1024));
  });
}
