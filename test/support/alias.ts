import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

/** The package by its name, for the examples: its sources. */
export const ALIAS: { find: RegExp; replacement: string }[] = [
  { find: /^drayage$/, replacement: `${SRC}index.ts` },
  { find: /^drayage\/(\w+)$/, replacement: `${SRC}exports/$1.ts` },
];
