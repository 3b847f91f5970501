/** The command line of the benchmarks. */
import { parseArgs } from 'node:util';

export const SECTIONS = [
  'pipeline',
  'save',
  'load',
  'endtoend',
  'thin',
  'delta',
  'growth',
  'promote',
  'adopt',
  'basejob',
  'sticky',
] as const;
export type SectionName = (typeof SECTIONS)[number];

export const USAGE: string = `npm run bench -- [SECTION…] [OPTION…]

Sections: ${SECTIONS.join(', ')}; default: all of them.

  --rounds N      how often each contender runs (default 5)
  --daemons LIST  only these kinds, such as docker-20.10,podman (default: all that the section knows)
  --node24 PATH   a Node with zstd built in (default: the newest 24 from npm, in a temp folder)
  --quick         images of a few MB and 1 round, to see that everything runs; nothing is written
  --out DIR       where results.json and results.md go (default: bench)
`;

export interface BenchOptions {
  sections: SectionName[];
  rounds: number;
  /** Kinds of daemons; `undefined`: all. */
  daemons: string[] | undefined;
  node24: string | undefined;
  quick: boolean;
  /** Where results are written; `undefined`: nowhere. */
  out: string | undefined;
}

/**
 * Reads the arguments.
 * @throws {Error} With the usage, when they make no sense.
 */
export function parseOptions(args: readonly string[], defaultOut: string): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      daemons: { type: 'string' },
      node24: { type: 'string' },
      quick: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}\n\n${USAGE}`);
  return {
    sections: positionals.length === 0 ? [...SECTIONS] : positionals.map(parseSection),
    rounds,
    daemons: values.daemons?.split(','),
    node24: values.node24,
    quick: values.quick,
    out: values.out ?? (values.quick ? undefined : defaultOut),
  };
}

function parseSection(name: string): SectionName {
  const found = SECTIONS.find((section) => section === name);
  if (found === undefined) throw new Error(`no section ${name}\n\n${USAGE}`);
  return found;
}
