/** An HTTP proxy in this process. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';

/** A running proxy; it ends with the test. Hosts below `.example` are this machine for it, at any port. */
export interface FakeProxy {
  url: string;
  /** What it was asked for: `GET http://…`, `CONNECT host:port`. */
  seen: string[];
}

/** @param elsewhere where it finds other hosts: `127.0.0.1:5000` by `registry.test:443` */
export async function startProxy(elsewhere: Readonly<Record<string, string>> = {}): Promise<FakeProxy> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    seen.push(`${request.method} ${request.url}`);
    const { method, headers } = request;
    const target = new URL(request.url ?? '');
    target.hostname = resolved(target.hostname);
    const onward = forward(target, { method, headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connect', ({ url = '' }: IncomingMessage, socket: Socket) => {
    seen.push(`CONNECT ${url}`);
    const [host = '', port] = (elsewhere[url] ?? url).split(':');
    const onward = connect(Number(port), resolved(host), () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

function resolved(hostname: string): string {
  return hostname.endsWith('.example') ? '127.0.0.1' : hostname;
}
