/** What runs in a table, and what a table becomes. */
import type { Readable } from 'node:stream';
import type { Goal, Row } from './statistics.ts';

/** One way to do the job of a table. Only `command` is timed. */
export interface Contender {
  name: string;
  /** One of ours: the others are compared with it. */
  ours?: boolean;
  /** No alternative, but what nothing can be better than. */
  limit?: boolean;
  /** What it does not do, or when it is the better choice. */
  remark?: string;
  /** A bash command line. */
  command: string;
  /** What the command reads. */
  input?: () => Readable;
  /** Brings about the state that the command starts from. */
  before?: () => Promise<unknown>;
  /** Bytes stored or sent, from what lies there afterwards or from what the command printed. */
  bytes?: (stdout: string) => number | undefined | Promise<number | undefined>;
  /** How often V8 marked the whole heap, for each GB of input; from what the command printed. */
  collections?: (stdout: string) => number;
}

/** Contenders that run against each other, in one run. */
export interface Race {
  /** What tells it from the other races of its section. */
  title: string;
  /** What is done, and what `bytes` are; one paragraph. */
  about: string;
  contenders: readonly Contender[];
  goals: readonly Goal[];
  /** Of servers whose CPU is a part of the cost: seconds used so far. */
  serverCpu?: () => number;
  /** Default: as many as asked for. */
  rounds?: number;
  /** Seconds that a contender may take; default: 300. */
  limit?: number;
  /** Ends what only this race needs. */
  close?: () => Promise<unknown>;
}

/** A race that was run, as it is stored. */
export interface Table {
  title: string;
  about: string;
  /** The machine and the versions, in one line. */
  machine: string;
  /** What was measured, as git names it; with a `+` if something was changed. */
  commit: string;
  /** Names of rows. */
  ours: string[];
  limits: string[];
  rows: Row[];
  goals: Goal[];
}
