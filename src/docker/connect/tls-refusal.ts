import { connect } from 'node:tls';
import type { ContentOptions } from '../../content/source.ts';
import type { DrayageError } from '../../errors.ts';
import type { DockerHost } from './host.ts';
import { tlsError } from './tls-error.ts';
import type { TlsMaterial } from './tls.ts';

/** How long a daemon gets to say that it does not take a client, in ms. */
const TIME_TO_SAY = 2000;
const DEFAULT_TLS_PORT = 443;

/**
 * Finds out whether a daemon hangs up on a client because of its certificate. With TLS 1.3 it says so after the handshake,
 * when the client speaks already, and with what it leaves unread its words are lost: so this is asked on a connection
 * where nothing is said.
 * @returns the error to tell; undefined where the daemon does not mind the client, or does not say
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
    // What is not read does not come to its end.
    socket.resume();
    const ended = signal === undefined ? over : AbortSignal.any([over, signal]);
    ended.addEventListener('abort', () => end(), { once: true });
  });
}
