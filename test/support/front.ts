/** Other ways to a daemon that listens on a unix socket. */
import { chmod, writeFile } from 'node:fs/promises';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import type { TlsOptions } from 'node:tls';
import { createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './temporary-folder.ts';

/** Hands every connection to a loopback port on to a socket, until the test ends. With `tls`, TLS is spoken on the port. */
export async function openFront(
  socketPath: string,
  { tls, port = 0 }: { tls?: TlsOptions; port?: number } = {},
): Promise<number> {
  const sockets = new Set<Socket>();
  const relay = (socket: Socket): void => {
    const inner = connect(socketPath);
    sockets.add(socket).add(inner);
    pipeline(socket, inner, socket, () => undefined);
  };
  const server: Server = tls === undefined ? createServer(relay) : createTlsServer(tls, relay);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  const { port: opened } = server.address() as AddressInfo;
  return opened;
}

/** A port of the loopback that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What stands in for ssh. */
export interface SshStandIn {
  /** The folder with the program `ssh`. */
  folder: string;
  command: string;
  /** Gets a line with the arguments for each run, and one with `end` for each run that came to an end of its input. */
  log: string;
}

/** Makes a program that takes the arguments of ssh and does what dial-stdio does: connect its standard streams to a socket. */
export async function sshStandIn(socketPath: string): Promise<SshStandIn> {
  const folder = await temporaryFolder();
  const log = join(folder, 'log');
  const relay = join(folder, 'relay.mjs');
  await writeFile(
    relay,
    `import { appendFileSync } from 'node:fs';
import { connect } from 'node:net';
appendFileSync(${JSON.stringify(log)}, process.argv.slice(2).join(' ') + '\\n');
const socket = connect(${JSON.stringify(socketPath)});
process.stdin.pipe(socket).pipe(process.stdout);
const end = () => { appendFileSync(${JSON.stringify(log)}, 'end\\n'); process.exit(); };
socket.on('close', end).on('error', end);
process.on('SIGTERM', end);
`,
  );
  return { folder, log, command: await script(folder, `exec '${process.execPath}' '${relay}' "$@"`) };
}

/** Makes a program `ssh` of some lines of shell. */
export async function script(folder: string, lines: string): Promise<string> {
  const command = join(folder, 'ssh');
  await writeFile(command, `#!/bin/sh\n${lines}\n`);
  await chmod(command, 0o755);
  return command;
}
