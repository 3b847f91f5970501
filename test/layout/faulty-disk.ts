import type * as Promises from 'node:fs/promises';

/** The faults of the file system. */
interface Faults {
  /** Calls so far that a fault could hit. */
  count: number;
  /** The number of the call that fails. */
  failAt: number;
  /** Whether all that follow fail, too. */
  forGood: boolean;
  code: string;
  /** Whether calls that only read count, too. */
  reads: boolean;
}

const NONE: Faults = { count: 0, failAt: Infinity, forGood: false, code: 'ENOSPC', reads: false };

export const faults: Faults = { ...NONE };

/** Counts calls again, and injects this fault, or none. */
export function inject(fault: Partial<Faults> = {}): void {
  Object.assign(faults, NONE, fault);
}

function check(): void {
  faults.count += 1;
  if (faults.count !== faults.failAt && !(faults.forGood && faults.count > faults.failAt)) return;
  throw Object.assign(new Error(`${faults.code}: injected`), { code: faults.code });
}

type Call<A extends unknown[], R> = (...args: A) => Promise<R>;

function guard<A extends unknown[], R>(call: Call<A, R>, isHit = (): boolean => true): Call<A, R> {
  return async (...args) => {
    if (isHit()) check();
    return call(...args);
  };
}

function guardRead<A extends unknown[], R>(call: Call<A, R>): Call<A, R> {
  return guard(call, () => faults.reads);
}

/** Cleaning up works on a full disk, and does not when the process is dead. */
function guardCleanup<A extends unknown[], R>(call: Call<A, R>): Call<A, R> {
  return guard(call, () => faults.forGood);
}

/** The calls of Node's file system that layouts use, with faults. */
export function faulty(real: typeof Promises): typeof Promises {
  const { mkdir, rename, rm, rmdir, unlink, lstat, stat, readdir, realpath, readFile } = real;
  return {
    ...real,
    open: guard(async (...args: Parameters<typeof real.open>) => {
      const handle = await real.open(...args);
      return Object.assign(handle, {
        write: guard(handle.write.bind(handle)),
        writev: guard(handle.writev.bind(handle)),
        writeFile: guard(handle.writeFile.bind(handle)),
        sync: guard(handle.sync.bind(handle)),
        utimes: guardCleanup(handle.utimes.bind(handle)),
        read: guardRead(handle.read.bind(handle)),
        readFile: guardRead(handle.readFile.bind(handle)),
        stat: guardRead(handle.stat.bind(handle)),
      });
    }),
    lstat: guardRead(lstat),
    stat: guardRead(stat),
    readdir: guardRead(readdir),
    realpath: guardRead(realpath),
    readFile: guardRead(readFile),
    mkdir: guard(mkdir),
    rename: guard(rename),
    rm: guardCleanup(rm),
    rmdir: guardCleanup(rmdir),
    unlink: guardCleanup(unlink),
  } as typeof Promises;
}
