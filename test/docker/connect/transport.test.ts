import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { parseHost } from '../../../src/docker/connect/host.ts';
import { Transport } from '../../../src/docker/connect/transport.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MB = 1e6;

test.each(['open', 'openLong'] as const)(
  '%s: a daemon sends no faster than its reply is read, in chunks as docker sends them',
  async (open) => {
    let sent = 0;
    const chunk = Buffer.concat([Buffer.from('8000\r\n'), Buffer.alloc(0x8000), Buffer.from('\r\n')]);
    const serve = (socket: Socket): void => {
      const more = (): void => {
        do sent += chunk.length;
        while (socket.write(chunk));
      };
      socket.on('error', () => undefined).on('drain', more);
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
        more();
      });
    };
    const path = join(await temporaryFolder(), 'socket');
    const server = createServer(serve).listen(path);
    onTestFinished(() => void server.close());
    const transport = new Transport(parseHost(`unix://${path}`), 1000);
    onTestFinished(async () => transport.close());
    const { body } = await transport[open]({ path: '/images/get' });
    let read = 0;
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      read += piece.length;
      if (read > 8 * MB) break;
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    }
    expect(sent - read).toBeLessThan(2 * MB);
  },
);
