/** A test daemon as the benchmarks use it: as a command line, with its CPU time, and emptied again and again. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KIND_SPECS } from '../test/system/support/daemon-kinds.ts';
import type { DaemonKind, TestDaemon } from '../test/system/support/daemons.ts';
import { namespaceCpuSeconds } from './server-cpu.ts';

export class BenchDaemon {
  readonly #daemon: TestDaemon;

  constructor(daemon: TestDaemon) {
    this.#daemon = daemon;
  }

  get test(): TestDaemon {
    return this.#daemon;
  }

  get kind(): DaemonKind {
    return this.#daemon.kind;
  }

  get version(): string {
    return this.#daemon.version;
  }

  get host(): string {
    return this.#daemon.host;
  }

  get socket(): string {
    return this.#daemon.socket;
  }

  /** Its client, for a command line: `docker -H unix:///…`. */
  get docker(): string {
    return `${KIND_SPECS[this.kind].client} -H ${this.host}`;
  }

  /** The process that all of the daemon's descend from. */
  get pid(): number {
    return Number(readFileSync(join(dirname(this.socket), 'pid'), 'utf8'));
  }

  /** Seconds of CPU that it has used so far, with all that it started. */
  cpuSeconds(): number {
    return namespaceCpuSeconds(this.pid);
  }

  /**
   * Runs the client and gives what it prints.
   * @throws {Error} When it fails.
   */
  async run(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#daemon.docker(args);
    if (code !== 0) throw new Error(`${this.kind}: docker ${args.join(' ')} ended with ${code}: ${stderr}`);
    return stdout;
  }

  /** Puts the images of an archive into it. */
  async load(archive: string): Promise<void> {
    await this.run('load', '--quiet', '--input', archive);
  }

  async has(name: string): Promise<boolean> {
    return (await this.#daemon.docker(['image', 'inspect', name])).code === 0;
  }

  /** Removes what a name stands for, with all other names of that image; none is fine. */
  async remove(name: string): Promise<void> {
    if (!(await this.has(name))) return;
    await this.run(
      'rmi',
      '--force',
      (await this.run('image', 'inspect', '--format', '{{.Id}}', name)).trim(),
    );
  }

  /**
   * Removes every image.
   * @throws {Error} When one is still there.
   */
  async empty(): Promise<void> {
    const ids = await this.#ids();
    if (ids.length > 0) await this.run('rmi', '--force', ...ids);
    if ((await this.#ids()).length > 0) throw new Error(`${this.kind} keeps images that were removed`);
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
  }

  async #ids(): Promise<string[]> {
    const text = await this.run('images', '--all', '--quiet', '--no-trunc');
    return [...new Set(text.split('\n').filter((line) => line !== ''))];
  }
}
