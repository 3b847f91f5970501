import type { OnProgress } from '../index.ts';
import type { InputBytes } from '../disk/input.ts';

/** What a command knows about the process; made once, in main. */
export interface Context {
  env: Readonly<Record<string, string | undefined>>;
  /** Default: the standard input of the process, opened by the command that reads it. */
  readonly stdin?: InputBytes | undefined;
  /** The target of an archive that is written to standard output. */
  stdout: NodeJS.WritableStream;
  signal: AbortSignal;
  onProgress: OnProgress;
  /** How long a server or a daemon may be silent, in milliseconds. Default: the library's. */
  idleTimeout?: number | undefined;
}

/** Result of a command. */
export interface Outcome {
  /** The document of `--json`. */
  json: unknown;
  /** Lines for people. */
  text: string[];
  /** Lines of `--quiet`: references only. */
  quiet: string[];
  /** Default 0. */
  exitCode?: number;
}

/** Options of every command. */
export interface CommonOptions {
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
  maxExpansion?: string;
  idleTimeout?: string;
}

/** A command, ready to run. */
export type Run = (context: Context) => Promise<Outcome>;
