/** Servers on the loopback that never come to an end, each in its own way. */
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';

/** What a server does with a connection, once the first bytes of a request have arrived. */
export type Slowness = (socket: Socket) => void;

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
const PAUSE = 10;

/** Sends the first text, and then the second one again and again. */
function drip(first: string, again: string): Slowness {
  return (socket) => {
    socket.write(first);
    const timer = setInterval(() => socket.write(again), PAUSE);
    socket.once('close', () => clearInterval(timer));
  };
}

/** The ways of a reply that never ends, by name. */
export const SLOW: Readonly<Record<string, Slowness>> = {
  'says nothing': () => {},
  'sends its headers byte by byte': drip('HTTP/1.1 200 OK\r\nx-slow: ', 'x'),
  'sends interim replies only': drip('', 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'),
  'sends a body byte by byte': drip(`${HEAD}content-length: 99999\r\n\r\n[`, ' '),
  'sends chunks of a byte': drip(`${HEAD}transfer-encoding: chunked\r\n\r\n`, '1\r\n \r\n'),
  'sends the extension of a chunk': drip(`${HEAD}transfer-encoding: chunked\r\n\r\n1;x=`, 'x'),
  'sends trailers': drip(`${HEAD}transfer-encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n`, 'x-slow: 1\r\n'),
  'sends half a body': (socket) => void socket.write(`${HEAD}content-length: 4\r\n\r\n[1`),
};

/** Starts a server that is slow in one way; it ends with the test. */
export async function startSlowServer(slowness: Slowness): Promise<{ url: URL; host: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    socket.once('data', () => slowness(socket));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`http://127.0.0.1:${port}/`), host: `127.0.0.1:${port}` };
}
