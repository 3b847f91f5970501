import { DrayageError } from '../../errors.ts';
import { shellWord } from '../../text/shell-word.ts';

/** The machine behind an `ssh://` address. */
export interface SshTarget {
  /** A name, also one from ssh's own configuration, or an IP address. */
  host: string;
  user?: string | undefined;
  port?: string | undefined;
  /** The daemon's socket on that machine, if it is not the default of the docker client there. */
  socketPath?: string | undefined;
}

const FORM =
  /^(?:([^@:/]+)(:[^@/]*)?@)?(?:\[([\da-f:.]+(?:%\w+)?)\]|([^@:/?#[\]]+))(?::(\d{1,5}))?(\/[^?#]*)?$/i;
/**
 * Never with a leading dash, which ssh would read as an option, and nothing that a shell in its configuration would
 * interpret.
 */
const HOST = /^\w[\w.-]*$/;
const USER = /^[\w.+\\][\w.+@\\-]*$/;
const MAX_PORT = 65_535;

/**
 * Parses the part after `ssh://`.
 * @returns undefined if it is not such an address
 * @throws {@link DrayageError} `USAGE` for an address with a password, which ssh does not accept
 */
export function parseSshTarget(text: string): SshTarget | undefined {
  const [, user, password, ip, name, port, path = ''] = FORM.exec(text) ?? [];
  if (password !== undefined) {
    throw new DrayageError('USAGE', 'the ssh:// address of a docker daemon must not hold a password', {
      hint: 'let ssh authenticate with a key or an agent',
    });
  }
  const host = ip ?? name;
  const isSafe = host !== undefined && (host === ip || HOST.test(host)) && (!user || USER.test(user));
  if (!isSafe || Number(port ?? 0) > MAX_PORT || /\p{Cc}/u.test(path)) return undefined;
  return {
    host,
    ...(user !== undefined && { user }),
    ...(port !== undefined && { port }),
    ...(!/^\/*$/.test(path) && { socketPath: path }),
  };
}

/** How long ssh may take to connect, in seconds: the same as docker's client. */
export const SSH_CONNECT_SECONDS = 30;

/** The arguments with which docker itself runs ssh. The last ones are a command for the remote shell. */
export function sshArguments({ host, user, port, socketPath }: SshTarget): string[] {
  const options = [...(user === undefined ? [] : ['-l', user]), ...(port === undefined ? [] : ['-p', port])];
  const daemon = socketPath === undefined ? [] : [`--host=${shellWord(`unix://${socketPath}`)}`];
  const command = ['docker', ...daemon, 'system', 'dial-stdio'];
  return ['-o', `ConnectTimeout=${SSH_CONNECT_SECONDS}`, '-T', ...options, '--', host, ...command];
}
