import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { DrayageError } from '../../errors.ts';
import type { SshTarget } from './ssh-target.ts';
import { sshArguments } from './ssh-target.ts';

/** How much of ssh's output is kept, in characters: its last words say why it failed. */
const MAX_MESSAGE_LENGTH = 600;
/** How long to wait for the last words of ssh, in ms, because a background process may keep its standard error open. */
const LAST_WORDS = 200;

/**
 * One connection to a daemon on another machine: an `ssh` that runs `docker system dial-stdio` there. If ssh fails, it
 * fails with ssh's message. Destroying it ends ssh. Like a socket, it can be unreferenced so that it does not keep the
 * process alive.
 */
export class SshConnection extends Duplex {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #name: string;
  #said = '';

  private constructor(child: ChildProcessWithoutNullStreams, name: string) {
    super({ allowHalfOpen: false });
    this.#child = child;
    this.#name = name;
    child.stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.#said = `${this.#said}${chunk.toString()}`.slice(-MAX_MESSAGE_LENGTH);
    });
    // Its standard input breaks when ssh ends; the exit of ssh reports the reason.
    child.stdin.on('error', () => undefined);
    void this.#end();
  }

  /**
   * Starts ssh. Resolves when ssh runs, which proves nothing about the other machine yet.
   * @param command the ssh program
   * @param name the address, for errors
   * @throws {@link DrayageError} `UNSUPPORTED` if there is no ssh
   */
  static async open(target: SshTarget, command: string, name: string): Promise<SshConnection> {
    const child = spawn(command, sshArguments(target), { stdio: ['pipe', 'pipe', 'pipe'] });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => reject(noSsh(command, name, cause)));
    });
    return new SshConnection(child, name);
  }

  /** Lets the process end although this connection is open. */
  unref(): this {
    this.#child.unref();
    for (const socket of this.#sockets()) socket.unref();
    return this;
  }

  /** Undoes {@link unref}. */
  ref(): this {
    this.#child.ref();
    for (const socket of this.#sockets()) socket.ref();
    return this;
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: (error?: Error | null) => void): void {
    // A failed write stays pending: the exit of ssh, which follows, says why.
    this.#child.stdin.write(chunk, (error) => {
      if (!error) callback();
    });
  }

  override _final(callback: () => void): void {
    this.#child.stdin.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const { stdin, stdout, stderr } = this.#child;
    for (const stream of [stdin, stdout, stderr]) stream.destroy();
    this.#child.kill();
    this.#child.unref();
    callback(error);
  }

  /** Passes on the exit of ssh: success as the end of the stream, failure as an error. */
  async #end(): Promise<void> {
    const { stdout, stderr } = this.#child;
    const exit = new Promise<number | null>((resolve) => this.#child.once('exit', resolve));
    const [code] = await Promise.all([exit, finished(stdout).catch(() => undefined)]);
    await finished(stderr, { signal: AbortSignal.timeout(LAST_WORDS) }).catch(() => undefined);
    if (this.destroyed) return;
    if (code === 0) this.push(null);
    else this.destroy(this.#failure(code));
  }

  #failure(code: number | null): DrayageError {
    const said = this.#said.replaceAll(/\s+/g, ' ').trim();
    const how = code === null ? 'ssh was ended' : `ssh ended with ${code}`;
    return new DrayageError(
      'UNREACHABLE',
      `cannot reach docker at ${this.#name}: ${said === '' ? how : `${said} (${how})`}`,
      {
        url: this.#name,
        hint: 'ssh to this machine must work without a prompt, and docker 18.09 or later be on the PATH there',
      },
    );
  }

  #sockets(): Socket[] {
    const { stdin, stdout, stderr } = this.#child;
    return [stdin, stdout, stderr].filter((stream) => stream instanceof Socket);
  }
}

function noSsh(command: string, name: string, cause: Error): DrayageError {
  return new DrayageError('UNSUPPORTED', `docker at ${name} needs ssh, and ${command} cannot be run`, {
    url: name,
    cause,
    reason: 'DAEMON_ADDRESS',
    hint: 'install the OpenSSH client, or use another address in DOCKER_HOST',
  });
}
