import { close, constants, fstat, fstatSync, open, read } from 'node:fs';
import type { OnReadOpts, SocketConstructorOpts } from 'node:net';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { fileError, systemCode } from '../system-error.ts';
import { FileBytes } from './file-bytes.ts';
import { SocketBytes } from '../stream/socket-bytes.ts';

/** Bytes that are read to their end; `destroy` ends the reading. */
export interface InputBytes extends AsyncIterable<Uint8Array> {
  destroy(): unknown;
}

/** What to do with a folder where an archive is expected. */
const FOLDER =
  'name a layout as oci:DIR; pack an unpacked archive of docker save with tar -C DIR -cf FILE . and name that FILE';

/** The file descriptor of standard input. */
const STDIN = 0;

/** The bytes of standard input: of a file, pipe or socket without a buffer for each chunk; else Node's own stream. */
export function openStandardInput(): InputBytes {
  const stats = fstatSync(STDIN);
  if (stats.isFile()) return fileBytes(STDIN, async () => {});
  if (stats.isFIFO() || stats.isSocket()) return pipeBytes(STDIN);
  return process.stdin;
}

/**
 * Opens a file or a named pipe. Does not wait for the writer of a pipe: to open it without `O_NONBLOCK` blocks a thread,
 * which nothing can end. The flag has no effect on files.
 * @throws {@link DrayageError} `NOT_FOUND`, `IO`
 */
export async function openInput(path: string): Promise<InputBytes> {
  try {
    return await openFile(path);
  } catch (cause) {
    const hint = systemCode(cause) === 'EISDIR' ? FOLDER : undefined;
    throw fileError(cause, `${path} cannot be read`, { path, hint });
  }
}

async function openFile(path: string): Promise<InputBytes> {
  const fd = await promisify(open)(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const end = async (): Promise<void> => promisify(close)(fd);
  try {
    // What was opened, not what the path means: another process may replace it.
    const stats = await promisify(fstat)(fd);
    if (stats.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    return stats.isFIFO() ? pipeBytes(fd) : fileBytes(fd, end);
  } catch (error) {
    await end();
    throw error;
  }
}

function fileBytes(fd: number, end: () => Promise<void>): FileBytes {
  return new FileBytes({ read: promisify(read).bind(undefined, fd), close: end });
}

/** The socket closes the descriptor. */
function pipeBytes(fd: number): SocketBytes {
  return new SocketBytes((onread) => openSocket(fd, onread));
}

function openSocket(fd: number, onread: OnReadOpts): Socket {
  // The types of Node 20 lack the last one, which its documentation has.
  const options: SocketConstructorOpts & { onread: OnReadOpts } = {
    fd,
    readable: true,
    writable: false,
    onread,
  };
  return new Socket(options);
}
