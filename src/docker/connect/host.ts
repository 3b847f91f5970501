import { DrayageError } from '../../errors.ts';
import type { SshTarget } from './ssh-target.ts';
import { parseSshTarget } from './ssh-target.ts';

/** Where a daemon listens. */
export interface DockerHost {
  /** For people: `unix:///var/run/docker.sock`, `tcp://docker:2375`. */
  name: string;
  /** What comes before the path of each request: an HTTP origin, and for tcp perhaps a path. */
  origin: string;
  /** The path of the unix socket, on Windows of the named pipe. */
  socketPath?: string | undefined;
  /** The target of ssh. */
  ssh?: SshTarget | undefined;
}

/** Options of {@link parseHost}. */
export interface ParseHostOptions {
  /** Whether tcp addresses use TLS. Default false. */
  tls?: boolean;
  /** Default: the current one. */
  platform?: string;
}

/** The host of a tcp address that names none. */
const THIS_MACHINE = 'localhost';
/** Docker's default address. */
export const DEFAULT_HOST = 'unix:///var/run/docker.sock';
/** Docker's default address with TLS. */
export const DEFAULT_TLS_HOST: string = `tcp://${THIS_MACHINE}:2376`;

/** The longest path of a unix socket, in bytes (sun_path without its final zero). */
const MAX_SOCKET_PATH = 107;
const MAX_PORT = 65_535;
/** Docker's default, with and without TLS. */
const DEFAULT_PORT = 2375;
const SUPPORTED = 'unix:///path/to/socket, tcp://host:port and ssh://user@host are supported';
const UNSUPPORTED: Record<string, string> = {
  npipe: 'npipe:// is a named pipe of Windows, which this machine does not have',
  fd: 'fd:// is where a daemon may listen, not where it can be reached',
  https: 'docker has no https:// addresses; where TLS is spoken is tcp://host:2376, with DOCKER_TLS_VERIFY=1',
};

/**
 * Parses a daemon's address, as in DOCKER_HOST.
 * @throws {@link DrayageError} `USAGE` if it is not an address, or one that cannot be used here
 */
export function parseHost(text: string, options: ParseHostOptions = {}): DockerHost {
  const { tls = false, platform = process.platform } = options;
  const [, scheme, rest] = /^([a-z]+):\/\/(.*)$/.exec(completeHost(text)) ?? [];
  if (scheme === undefined || rest === undefined) throw malformed(text);
  if (scheme === 'unix') return unixHost(text, rest);
  if (scheme === 'tcp' || scheme === 'http') return tcpHost(text, rest, tls && scheme === 'tcp');
  if (scheme === 'ssh') return sshHost(text, rest);
  if (scheme === 'npipe' && platform === 'win32') return pipeHost(text, rest);
  const reason = UNSUPPORTED[scheme];
  if (reason === undefined) throw malformed(text);
  throw new DrayageError('USAGE', `docker cannot be reached at ${safe(text)}: ${reason}`, {
    hint: SUPPORTED,
  });
}

/**
 * A daemon's address with its scheme and host, as docker's client completes it (docker/cli, opts/hosts.go): `docker:2375`
 * is a tcp address, `tcp://` and `:2375` are on this machine, and blanks say nothing.
 * @param tls whether blanks mean docker's default with TLS; default false
 */
export function completeHost(text: string, tls: boolean = false): string {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed === 'unix://') return tls && trimmed === '' ? DEFAULT_TLS_HOST : DEFAULT_HOST;
  const isWhole = trimmed.includes('://') || trimmed.startsWith('/');
  const address = isWhole ? trimmed : `tcp://${trimmed}`;
  return address.replace(/^tcp:\/\/(?=:|\/?$)/, `tcp://${THIS_MACHINE}`).replace(/^(tcp:.+):(?=\/?$)/, '$1');
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

function tcpHost(text: string, rest: string, tls: boolean): DockerHost {
  // A proxy may offer the API below a path.
  const [, authority, prefix = ''] =
    /^((?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?)((?:\/[\w.~-]+)*)\/?$/.exec(rest) ?? [];
  if (authority === undefined) throw malformed(text);
  if (Number(/:(\d+)$/.exec(authority)?.[1] ?? 0) > MAX_PORT) throw malformed(text);
  const address =
    /:\d+$/.test(authority) && !authority.endsWith(']') ? authority : `${authority}:${DEFAULT_PORT}`;
  const path = `${address}${prefix}`;
  return { name: `tcp://${path}`, origin: `${tls ? 'https' : 'http'}://${path}` };
}

function sshHost(text: string, rest: string): DockerHost {
  const ssh = parseSshTarget(rest);
  if (ssh === undefined) throw malformed(text);
  return { name: `ssh://${rest}`, origin: 'http://docker', ssh };
}

/** `npipe:////./pipe/docker_engine` */
function pipeHost(text: string, path: string): DockerHost {
  if (!/^\/\/\.\/pipe\/[\w.-]+$/.test(path)) throw malformed(text);
  return { name: `npipe://${path}`, origin: 'http://docker', socketPath: path.replaceAll('/', '\\') };
}

function malformed(text: string): DrayageError {
  return new DrayageError('USAGE', `not the address of a docker daemon: ${JSON.stringify(safe(text))}`, {
    hint: text.trim().startsWith('/') ? `for a socket write unix://${text.trim()}` : SUPPORTED,
  });
}

/** Without a password. */
function safe(text: string): string {
  return text.replace(/\/\/.*@/, '//').slice(0, 200);
}
