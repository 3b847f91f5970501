import type { IncomingMessage } from 'node:http';
import type { Forwarded } from './daemon-proxy.ts';
import { DaemonProxy } from './daemon-proxy.ts';

/** Counts what the daemon sends. */
export class CountingProxy extends DaemonProxy {
  /** The requests: `GET /images/json`. */
  readonly lines: string[] = [];
  /** Bytes of all replies. */
  bytes = 0;

  /** @param target the socket of the daemon */
  static async start(target: string): Promise<CountingProxy> {
    return DaemonProxy.open((folder) => new CountingProxy(folder, target));
  }

  protected override async change(request: IncomingMessage): Promise<Forwarded> {
    this.lines.push(`${request.method} ${request.url?.replace(/^\/v[\d.]+/, '')}`);
    return super.change(request);
  }

  protected override heard(chunk: Buffer): void {
    this.bytes += chunk.length;
  }
}
