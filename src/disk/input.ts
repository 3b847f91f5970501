import { fstatSync, read } from 'node:fs';
import type { OnReadOpts, SocketConstructorOpts } from 'node:net';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { FileBytes } from './file-bytes.ts';
import { SocketBytes } from './socket-bytes.ts';

/** Bytes that are read to their end; `destroy` ends the reading. */
export interface InputBytes extends AsyncIterable<Uint8Array> {
  destroy(): unknown;
}

/** The file descriptor of standard input. */
const STDIN = 0;

/** The bytes of standard input: of a file, pipe or socket without a buffer for each chunk; else Node's own stream. */
export function openStandardInput(): InputBytes {
  const stats = fstatSync(STDIN);
  if (stats.isFile())
    return new FileBytes({ read: promisify(read).bind(undefined, STDIN), close: async () => {} });
  if (stats.isFIFO() || stats.isSocket()) return new SocketBytes(openSocket);
  return process.stdin;
}

function openSocket(onread: OnReadOpts): Socket {
  // The types of Node 20 lack the last one, which its documentation has.
  const options: SocketConstructorOpts & { onread: OnReadOpts } = {
    fd: STDIN,
    readable: true,
    writable: false,
    onread,
  };
  return new Socket(options);
}
