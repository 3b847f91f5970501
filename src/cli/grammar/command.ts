import { Command, InvalidArgumentError, Option } from 'commander';
import type { CommonOptions, Context, Outcome, Run } from '../context.ts';
import type { ValueKind } from '../commands/values.ts';
import { DrayageError } from '../../errors.ts';
import { flagOf, OF_VARIABLES, onlyMeaningful, withoutExcluded } from '../meaning.ts';
import { assertNode } from '../node-version.ts';

/** Runs a command and shows its result. */
export type Execute = (run: Run, common: CommonOptions) => Promise<void>;

/** Makes a command; `execute` runs it. */
export type MakeCommand = (execute: Execute) => Command;

/** A command with the options `T`: its words, and what loads its code when it is chosen. */
interface CommandRow<T extends CommonOptions> {
  name: string;
  summary: string;
  description: string;
  /** Each as `<layout...>` with its description. */
  arguments: readonly (readonly [syntax: string, description: string])[];
  /** All options beside {@link COMMON}. */
  options: Options<Omit<NoInfer<T>, keyof CommonOptions>>;
  /** Whether it also runs on a Node that is too old, or with values that cannot be meant, to say so. Default false. */
  reportsMistakes?: boolean;
  load: () => Promise<(args: readonly string[], options: T, context: Context) => Promise<Outcome>>;
}

/** A row for each option of `T`: an option without a row is no less a mistake than a row that no command reads. */
export type Options<T> = { readonly [K in keyof T & string]-?: OptionRow<K, NonNullable<T[K]>> };

/**
 * `['-o, --out <dir>', 'the layout to save into']` for the option `out`. The row of a list ends in `...>`: the option
 * may be repeated, and takes one value each time, so that it never takes the arguments behind it.
 */
export type OptionRow<K extends string, V> = readonly [
  flags: Flags<K, V>,
  description: string,
  details?: OptionDetails,
];

type Flags<
  K extends string,
  V,
> = `${'' | `-${string}, `}--${Kebab<K>}${V extends boolean ? '' : V extends readonly string[] ? ` <${string}...>` : ` <${string}>`}`;
type Kebab<S extends string> = S extends `${infer C}${infer Rest}`
  ? `${C extends Lowercase<C> ? C : `-${Lowercase<C>}`}${Kebab<Rest>}`
  : S;

type AnyRow = readonly [flags: string, description: string, details?: OptionDetails];

interface OptionDetails {
  choices?: readonly string[];
  /** The options that it excludes; see {@link withoutExcluded}. */
  conflicts?: string | string[];
  /** The option without which it has no meaning. */
  needs?: string;
  /** Takes in a value, with what was taken in before. */
  parse?(value: string, before: unknown): unknown;
  /** Whether an empty value of a list says nothing, as of a variable that not every pipeline has. */
  skipsEmpty?: boolean;
  /** What a value must be. It is checked before the command does anything. */
  is?: ValueKind;
  /** False where no variable may say it. */
  variable?: false;
}

/** Options of every command. */
const COMMON: Options<CommonOptions> = {
  json: ['--json', 'print one JSON document on standard output'],
  quiet: ['-q, --quiet', 'print only references'],
  debug: ['--debug', 'print the stack of an error'],
  maxExpansion: [
    '--max-expansion <size>',
    'how much content may decompress to beyond 200 times its size; default 1 GiB',
  ],
  idleTimeout: [
    '--idle-timeout <time>',
    'how long a server may be silent, such as 5m; default 60s, for a daemon 2m, and 15 times as long while it packs or unpacks',
  ],
};

/** A command by its row. */
export function command<T extends CommonOptions>(row: CommandRow<T>): MakeCommand {
  return (execute) => {
    const made = new Command(row.name).summary(row.summary).description(row.description);
    for (const [syntax, description] of row.arguments) made.argument(syntax, description);
    for (const option of Object.values<AnyRow>({ ...row.options, ...COMMON }))
      made.addOption(optionOf(option));
    return made.action(async () => {
      const given = { ...made.opts<T>(), [OF_VARIABLES]: variablesIn(made) };
      let options = withoutExcluded(given, exclusionsOf(row.options));
      if (row.reportsMistakes !== true) {
        assertNode(process.versions.node);
        assertWorkingFolder();
        options = withoutUseless(options, row.options);
        await checkKinds(row.options, options);
      }
      const run = await row.load();
      await execute((context) => run(made.args, options, context), options);
    });
  };
}

/** The options that variables set. */
function variablesIn(made: Command): Set<string> {
  const names = Object.keys(made.opts());
  return new Set(names.filter((name) => made.getOptionValueSource(name) === 'env'));
}

/** The options of a command, each with those that it excludes. */
function exclusionsOf(rows: object): (readonly [string, string[]])[] {
  return Object.entries<AnyRow>({ ...rows }).map(
    ([name, [, , { conflicts = [] } = {}]]) => [name, [conflicts].flat()] as const,
  );
}

/** Options without those that need another one, where that is not given. */
function withoutUseless<T extends object>(options: T, rows: object): T {
  let kept = options;
  const isGiven = (name: string): name is keyof T & string => Reflect.get(options, name) !== undefined;
  for (const [name, [, , { needs } = {}]] of Object.entries<AnyRow>({ ...rows })) {
    if (needs === undefined || isGiven(needs) || !isGiven(name)) continue;
    const flag = flagOf(needs);
    kept = onlyMeaningful(kept, [name], `without ${flag}`, `give ${flag}, too`);
  }
  return kept;
}

/** @throws {@link DrayageError} `IO` if it was removed: every path would be a puzzle */
function assertWorkingFolder(): void {
  try {
    process.cwd();
  } catch {
    throw new DrayageError('IO', 'the working folder does not exist any more', {
      hint: 'change into a folder that exists',
    });
  }
}

async function checkKinds(rows: object, options: object): Promise<void> {
  const values = new Map<string, unknown>(Object.entries(options));
  const given = Object.entries<AnyRow>({ ...rows }).flatMap(([key, [, , details]]) => {
    const value = values.get(key);
    return details?.is === undefined || value === undefined ? [] : [[details.is, value] as const];
  });
  if (given.length > 0) await (await import('../commands/values.ts')).checkValues(given);
}

/** An option that is also a variable: `--out` is DRAYAGE_OUT. */
function optionOf([flags, description, details = {}]: AnyRow): Option {
  const { choices, skipsEmpty = false, variable } = details;
  const isList = flags.endsWith('...>');
  const made = isList
    ? new Option(flags.replace('...>', '>'), `${description}; may be repeated`)
    : new Option(flags, description);
  if (choices !== undefined) made.choices(choices);
  if (details.parse !== undefined) made.argParser<unknown>((value, before) => details.parse?.(value, before));
  else if (isList) made.argParser<string[]>(collect);
  if (skipsEmpty)
    made.argParser<string[] | undefined>((value, before) => (value === '' ? before : collect(value, before)));
  else refuseEmpty(made);
  const name = variableOf(made);
  const value = process.env[name];
  // CI systems set variables to an empty string to unset them. A flag may be switched off.
  const unset = value === undefined || value === '' || (made.isBoolean() && /^(?:0|false|no)$/i.test(value));
  return unset || variable === false ? made : made.env(name);
}

/** Refuses an empty value, such as that of a variable that is not set: it would name nothing, or a place by chance. */
function refuseEmpty(option: Option): void {
  const { parseArg, required } = option;
  if (!required) return;
  option.argParser<unknown>((value, before) => {
    if (value === '') throw new InvalidArgumentError('It must not be empty.');
    return parseArg === undefined ? value : parseArg(value, before);
  });
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** `--max-size` as DRAYAGE_MAX_SIZE. */
export function variableOf(option: Option): string {
  return `DRAYAGE_${option.name().toUpperCase().replaceAll('-', '_')}`;
}
