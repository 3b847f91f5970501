import type { CommonOptions, Run } from '../context.ts';

/** Runs a command and shows what came of it. */
export type Execute = (run: Run, common: CommonOptions) => Promise<void>;
