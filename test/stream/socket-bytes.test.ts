import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { SocketBytes } from '../../src/stream/socket-bytes.ts';
import { collect } from '../stream/sources.ts';

const content = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => i % 251));

/** A socket on which `send` sends, and the bytes that arrive. */
async function connected(send: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    send(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const bytes = new SocketBytes((onread) => connect({ port, host: '127.0.0.1', onread }));
  return { bytes, [Symbol.dispose]: () => void server.close() };
}

test('all that arrives comes in chunks', async () => {
  using socket = await connected((peer) => peer.end(content));
  expect((await collect(socket.bytes)).equals(content)).toBe(true);
});

test('all that arrives fills the memory that is given', async () => {
  using socket = await connected((peer) => peer.end(content));
  const target = Buffer.alloc(content.length + 1);
  let size = 0;
  for (let count = -1; count !== 0; size += count)
    count = await socket.bytes.readInto(target.subarray(size, size + 100_000));
  expect(target.subarray(0, size).equals(content)).toBe(true);
  expect(await socket.bytes.readInto(target)).toBe(0);
});

test('no more is taken from the peer than is read, and nothing is lost meanwhile', async () => {
  let written = 0;
  using socket = await connected((peer) => {
    const more = (): void => {
      for (let full = false; !full && written < 20;) {
        full = !peer.write(content);
        written += 1;
      }
      if (written === 20) peer.end();
    };
    peer.on('drain', more);
    more();
  });
  const head = Buffer.alloc(10);
  expect(await socket.bytes.readInto(head)).toBe(10);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(written).toBeLessThan(20);
  const all = Buffer.concat([head, await collect(socket.bytes)]);
  expect(digestOf(all)).toBe(digestOf(Buffer.concat(Array.from({ length: 20 }, () => content))));
});

test('a connection that breaks is an error, after what came before it', async () => {
  using socket = await connected((peer) => {
    peer.write('abc', () => setTimeout(() => peer.resetAndDestroy(), 50));
  });
  const target = Buffer.alloc(10);
  expect(await socket.bytes.readInto(target)).toBe(3);
  await expect(socket.bytes.readInto(target)).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('a reader that waits is woken when the socket is destroyed', async () => {
  using socket = await connected(() => {});
  const reading = socket.bytes.readInto(Buffer.alloc(10));
  await socket.bytes.return();
  expect(await reading).toBe(0);
});
