import { DrayageError } from '../errors.ts';

/** Where a daemon listens. */
export interface DockerHost {
  /** As it is shown: `unix:///var/run/docker.sock`, `tcp://docker:2375`. */
  name: string;
  /** For HTTP: what requests are addressed to. */
  origin: string;
  /** The unix socket's path; none for tcp. */
  socketPath?: string;
}

/** Where docker listens unless it was told otherwise. */
export const DEFAULT_HOST = 'unix:///var/run/docker.sock';

/** What the kernel takes as a unix socket's path, in bytes (sun_path without its last zero). */
const MAX_SOCKET_PATH = 107;
const MAX_PORT = 65_535;
/** Docker's own for plain TCP. */
const DEFAULT_PORT = 2375;
const SUPPORTED = 'unix:///path/to/socket and tcp://host:port are supported';

/**
 * Reads a daemon's address, as in DOCKER_HOST.
 * @throws {@link DrayageError} `USAGE` where it is none, `UNSUPPORTED` for schemes that docker knows and this library does not
 */
export function parseHost(text: string): DockerHost {
  const [, scheme, rest] = /^([a-z]+):\/\/(.*)$/.exec(text) ?? [];
  if (scheme === undefined || rest === undefined) throw malformed(text);
  if (scheme === 'unix') return unixHost(text, rest);
  if (scheme === 'tcp' || scheme === 'http') return tcpHost(text, rest);
  if (['https', 'ssh', 'npipe', 'fd'].includes(scheme)) {
    throw new DrayageError(
      'UNSUPPORTED',
      `docker at ${scheme}:// addresses cannot be reached yet: ${safe(text)}`,
      {
        hint: SUPPORTED,
      },
    );
  }
  throw malformed(text);
}

function unixHost(text: string, socketPath: string): DockerHost {
  if (!socketPath.startsWith('/') || socketPath.includes('\0')) throw malformed(text);
  const length = Buffer.byteLength(socketPath);
  if (length > MAX_SOCKET_PATH) {
    throw new DrayageError(
      'USAGE',
      `a unix socket's path has at most ${MAX_SOCKET_PATH} bytes, this one ${length}: ${socketPath}`,
      {
        expected: MAX_SOCKET_PATH,
        actual: length,
        path: socketPath,
        hint: 'make a symbolic link with a shorter path to the folder of the socket',
      },
    );
  }
  return { name: `unix://${socketPath}`, origin: 'http://docker', socketPath };
}

function tcpHost(text: string, rest: string): DockerHost {
  const authority = rest.replace(/\/$/, '');
  if (!/^(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/.test(authority)) throw malformed(text);
  if (Number(/:(\d+)$/.exec(authority)?.[1] ?? 0) > MAX_PORT) throw malformed(text);
  const address =
    /:\d+$/.test(authority) && !authority.endsWith(']') ? authority : `${authority}:${DEFAULT_PORT}`;
  return { name: `tcp://${address}`, origin: `http://${address}` };
}

function malformed(text: string): DrayageError {
  return new DrayageError('USAGE', `not the address of a docker daemon: ${JSON.stringify(safe(text))}`, {
    hint: SUPPORTED,
  });
}

/** Without a password. */
function safe(text: string): string {
  return text.replace(/\/\/.*@/, '//').slice(0, 200);
}
