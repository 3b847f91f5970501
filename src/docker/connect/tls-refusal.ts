import { connect } from 'node:tls';
import type { ContentOptions } from '../../content/source.ts';
import type { DrayageError } from '../../errors.ts';
import type { DockerHost } from './host.ts';
import { tlsError } from './tls-error.ts';
import type { TlsMaterial } from './tls.ts';
import { eitherSignal } from '../../stream/signals.ts';

/** How long a daemon may take to refuse a client, in ms. */
const TIME_TO_SAY = 2000;
const DEFAULT_TLS_PORT = 443;

/**
 * Finds out whether a daemon closes connections because of the client's certificate. With TLS 1.3 it refuses after the
 * handshake, when the client sends its request already, and then its alert is lost. So this opens a connection and
 * sends nothing.
 * @returns the error to report; undefined if the daemon accepts the client, or does not say
 */
export async function findTlsRefusal(
  host: DockerHost,
  tls: TlsMaterial,
  { signal }: ContentOptions,
): Promise<DrayageError | undefined> {
  if (signal?.aborted === true) return undefined;
  const over = AbortSignal.timeout(TIME_TO_SAY);
  const { hostname, port } = new URL(host.origin);
  const { ca, cert, key, verify } = tls;
  const socket = connect({
    host: hostname.replaceAll(/[[\]]/g, ''),
    port: Number(port || DEFAULT_TLS_PORT),
    rejectUnauthorized: verify,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  });
  return new Promise((resolve) => {
    const end = (refusal?: DrayageError): void => {
      socket.destroy();
      resolve(refusal);
    };
    socket.on('error', (error) => end(tlsError(host, tls, error))).once('close', () => end());
    // Without reading, the end of the stream would not be seen.
    socket.resume();
    const ended = eitherSignal(signal, over);
    ended.addEventListener('abort', () => end(), { once: true });
  });
}
