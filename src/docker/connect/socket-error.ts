import { DrayageError, isDrayageError, isError } from '../../errors.ts';
import { systemCode } from '../../system-error.ts';
import { idleError, isGarbled, isSilence, networkReason } from '../../http/network-error.ts';
import type { DockerHost } from './host.ts';
import type { TlsMaterial } from './tls.ts';
import { certificateHint, tlsError } from './tls-error.ts';

const ELSEWHERE = 'set DOCKER_HOST to the address of a running daemon';

const GROUP = 'run as root or as a member of the group docker, or set DOCKER_HOST to another daemon';

/** What to do if there is no connection, and why that is where only a socket has such a failure. */
const CONNECTING: Readonly<Record<string, readonly [hint: string, why?: string]>> = {
  ENOENT: [ELSEWHERE, 'there is no such socket'],
  ENOTDIR: [ELSEWHERE, 'there is no such socket'],
  ENOTSOCK: [ELSEWHERE, 'that is not a socket'],
  ECONNREFUSED: [`start docker, or ${ELSEWHERE}`],
  EACCES: [GROUP, 'permission denied'],
  EPERM: [GROUP, 'permission denied'],
};

/** Codes of a connection that was open and is now closed. Node and undici report that in many ways. */
const CLOSED: ReadonlySet<string> = new Set([
  'EPIPE',
  'ECONNRESET',
  'ECONNABORTED',
  'UND_ERR_SOCKET',
  'UND_ERR_ABORTED',
  'ERR_STREAM_PREMATURE_CLOSE',
]);
const ENDED: ReadonlySet<string> = new Set(['UND_ERR_DESTROYED', 'UND_ERR_CLOSED']);

/** The error for a daemon that is silent, or sends next to nothing. */
export function daemonIdle({ name }: DockerHost, what: string, cause?: unknown): DrayageError {
  return idleError(`docker at ${name}`, what, { url: name, cause });
}

/** Whether a connection was open and is now closed. */
export function isClosed(cause: unknown): boolean {
  return CLOSED.has(systemCode(cause) ?? '');
}

/** Turns a failure of the connection to a daemon into an error. Returns anything else unchanged. */
export function socketError(host: DockerHost, cause: unknown, tls?: TlsMaterial): unknown {
  if (!isError(cause) || isDrayageError(cause)) return cause;
  const untrusted = tls && tlsError(host, tls, cause);
  if (untrusted !== undefined) return untrusted;
  const facts = { url: host.name, cause };
  if (isGarbled(cause)) {
    return new DrayageError(
      'UNSUPPORTED',
      `the server at ${host.name} does not speak HTTP: it is not docker`,
      facts,
    );
  }
  const code = systemCode(cause);
  if (code === undefined) return cause;
  if (CLOSED.has(code)) {
    const hint = `try again; the log of the daemon says why it closed the connection${tls ? `: ${certificateHint(tls)}` : ''}`;
    return new DrayageError('UNREACHABLE', `docker at ${host.name} closed the connection midway`, {
      ...facts,
      hint,
    });
  }
  if (isSilence(code)) return daemonIdle(host, 'did not answer in time', cause);
  if (ENDED.has(code))
    return new DrayageError('UNREACHABLE', `the connection to docker at ${host.name} was ended`, facts);
  const [hint = ELSEWHERE, why = networkReason(cause)] = CONNECTING[code] ?? [];
  if (why === undefined) return cause;
  return new DrayageError('UNREACHABLE', `cannot reach docker at ${host.name}: ${why}`, {
    ...facts,
    actual: code,
    reason: 'DAEMON_ADDRESS',
    hint,
  });
}
