import type { ContentOptions } from '../../content/source.ts';
import { DrayageError, isDrayageError } from '../../errors.ts';
import { systemCode } from '../../system-error.ts';
import type { OnProgress } from '../../progress.ts';
import type { DaemonAddress } from './address.ts';
import type { DockerHost } from './host.ts';
import { DEFAULT_HOST, parseHost } from './host.ts';
import type { DaemonFacts, Identify } from './greet.ts';
import { greet } from './greet.ts';
import type { Patience } from './patience.ts';
import { startPatience, untilThere } from './patience.ts';
import { isClosed } from './socket-error.ts';
import { SSH_CONNECT_SECONDS } from './ssh-target.ts';
import { findTlsRefusal } from './tls-refusal.ts';
import type { DockerTls, TlsMaterial } from './tls.ts';
import { isComplete, readTls } from './tls.ts';
import { Transport } from './transport.ts';

/** Options of `reachDaemon`. */
export interface ReachOptions extends DaemonAddress, ContentOptions {
  /** How long to wait for a connection, and for the daemon's first reply, in ms. Default 10 seconds; through ssh 40. */
  connectTimeout?: number | undefined;
  /** The ssh program for `ssh://` addresses. Default `ssh`, on the PATH. */
  sshCommand?: string | undefined;
  /**
   * How long the daemon may be silent, or send next to nothing, in ms; 15 times as long while it packs, takes, unpacks
   * or removes an image. Default two minutes.
   */
  idleTimeout?: number | undefined;
  /** Reports what is waited for. */
  onProgress?: OnProgress | undefined;
}

/** A daemon that has answered. */
export interface ReachedDaemon<Kind> {
  transport: Transport;
  facts: DaemonFacts<Kind>;
}

/** Failures that waiting does not change. Any other failure may be a daemon that is about to start. */
const LASTING: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'ENOTSOCK', 'ENOTDIR']);
/** How much later than its authority's a client's certificate may arrive, in ms. */
const CLIENT_GRACE = 3000;

/** Connects to a daemon and asks for its kind. Waits for its certificates and for the daemon if `wait` says so. */
export async function reachDaemon<Kind>(
  identify: Identify<Kind>,
  options: ReachOptions,
): Promise<ReachedDaemon<Kind>> {
  const { host: address = DEFAULT_HOST, tls, wait = 0, signal, sshCommand } = options;
  const host = parseHost(address, { tls: tls !== undefined });
  const { connectTimeout = host.ssh === undefined ? 10_000 : (SSH_CONNECT_SECONDS + 10) * 1000 } = options;
  signal?.throwIfAborted();
  const patience = startPatience(wait, signal);
  const isTls = tls !== undefined && host.origin.startsWith('https:');
  const material = isTls ? await certificates(tls, patience, options) : undefined;
  const transport = new Transport(host, connectTimeout, {
    tls: material,
    sshCommand,
    idleTimeout: options.idleTimeout,
  });
  const isNotUpYet = (error: unknown): error is DrayageError => mayStart(error, isTls);
  try {
    const facts = await untilThere(
      patience,
      () =>
        refusedPlainly(
          transport,
          material,
          () => greet(transport, Math.min(connectTimeout, transport.idleTimeout), identify, { signal }),
          {
            signal,
          },
        ),
      isNotUpYet,
      () => tell(options, 'daemon', host.name),
    );
    return { transport, facts };
  } catch (error) {
    await transport.close();
    throw wait > 0 && isNotUpYet(error) ? neverCame(host, error, wait) : error;
  }
}

/** Speaks to a daemon. If that closes the connection because of the client's certificate, the error says so. */
async function refusedPlainly<T>(
  transport: Transport,
  tls: TlsMaterial | undefined,
  speak: () => Promise<T>,
  options: ContentOptions,
): Promise<T> {
  try {
    return await speak();
  } catch (error) {
    const isHangUp = tls !== undefined && isDrayageError(error, 'UNREACHABLE') && isClosed(error.cause);
    throw (isHangUp && (await findTlsRefusal(transport.host, tls, options))) || error;
  }
}

/**
 * While there is time, waits for all three files. When the time is over, the present files must do. An authority's
 * certificate alone is accepted soon: docker:dind writes it last, so a folder with nothing else belongs to a daemon
 * that wants no client certificate.
 */
async function certificates(tls: DockerTls, patience: Patience, options: ReachOptions): Promise<TlsMaterial> {
  const { certPath, verify = true } = tls;
  const { wait = 0 } = options;
  let grace: AbortSignal | undefined;
  const attempt = async (): Promise<TlsMaterial> => {
    const material = await readTls(tls);
    if (!verify || certPath === undefined || isComplete(material)) return material;
    if (material.ca !== undefined) grace ??= AbortSignal.timeout(CLIENT_GRACE);
    if (patience.over.aborted || grace?.aborted === true) return material;
    throw new DrayageError('NOT_FOUND', `certificates for docker are missing in ${certPath}`);
  };
  try {
    const onWait = (): void => tell(options, 'certificates', certPath ?? '');
    return await untilThere(patience, attempt, isNotWrittenYet, onWait);
  } catch (error) {
    if (wait === 0 || !isDrayageError(error, 'NOT_FOUND')) throw error;
    throw new DrayageError('TIMEOUT', `${error.message}, after ${seconds(wait)} s`, {
      ...error.facts,
      hint: 'mount the volume /certs/client into both the job and docker:dind (runner: volumes), or go without TLS: DOCKER_TLS_CERTDIR: ""',
    });
  }
}

/** Files that are being written are absent at first, and then do not match. */
function isNotWrittenYet(error: unknown): boolean {
  return isDrayageError(error, 'NOT_FOUND', 'MALFORMED');
}

/**
 * Whether a daemon that is about to start may fail like this. A daemon that completes the handshake and then closes the
 * connection refuses the client.
 */
function mayStart(error: unknown, isTls: boolean): error is DrayageError {
  if (!isDrayageError(error, 'UNREACHABLE', 'TIMEOUT')) return false;
  const code = systemCode(error.cause) ?? '';
  return !LASTING.has(code) && !(isTls && code === 'UND_ERR_SOCKET');
}

function neverCame({ name }: DockerHost, error: DrayageError, wait: number): DrayageError {
  return new DrayageError(error.code, `${error.message}, after ${seconds(wait)} s`, {
    ...error.facts,
    reason: undefined,
    hint: `does the daemon at ${name} run? In GitLab it is a service of the job (docker:dind), and its log says why it does not start`,
  });
}

function tell({ wait = 0, onProgress }: ReachOptions, what: 'certificates' | 'daemon', where: string): void {
  onProgress?.({ kind: 'waiting', what, where, seconds: seconds(wait) });
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}
