import { DrayageError } from '../errors.ts';

/** Where options keep the names of those that variables set, and not arguments. Copies of the options keep it, too. */
export const OF_VARIABLES: unique symbol = Symbol('options of variables');

interface Given {
  readonly [OF_VARIABLES]?: ReadonlySet<string>;
}

/**
 * Options without those that have no meaning in this run. A variable is a default for all commands of a job, so that it is
 * left out; an argument would be ignored against the user's will.
 * @param without their names
 * @param why follows "has no meaning": `without a job`
 * @throws {@link DrayageError} `USAGE` for an argument
 */
export function onlyMeaningful<T extends object>(
  options: T,
  without: readonly (keyof T & string)[],
  why: string,
  hint: string,
): T {
  const kept = { ...options };
  for (const name of without) {
    if (options[name] === undefined) continue;
    if (!isOfVariable(options, name))
      throw new DrayageError('USAGE', `${flagOf(name)} has no meaning ${why}`, { hint });
    Reflect.deleteProperty(kept, name);
  }
  return kept;
}

/**
 * Options without those that exclude others which were given. An argument counts more than a variable.
 * @param exclusions names of options, each with those that it excludes
 * @throws {@link DrayageError} `USAGE` if both are arguments, or both variables
 */
export function withoutExcluded<T extends object>(
  options: T,
  exclusions: Iterable<readonly [string, readonly string[]]>,
): T {
  const kept = { ...options };
  const given = new Set(
    Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : name)),
  );
  for (const [name, others] of exclusions) {
    for (const other of others) {
      if (!given.has(name) || !given.has(other)) continue;
      const [is, isOther] = [isOfVariable(options, name), isOfVariable(options, other)];
      if (is === isOther) {
        throw new DrayageError('USAGE', `${flagOf(name)} and ${flagOf(other)} exclude each other`, {
          hint: is ? 'both are set by variables: unset one of them' : 'omit one of them',
        });
      }
      given.delete(is ? name : other);
      Reflect.deleteProperty(kept, is ? name : other);
    }
  }
  return kept;
}

function isOfVariable(options: object, name: string): boolean {
  const { [OF_VARIABLES]: names }: Given = options;
  return names?.has(name) === true;
}

/** `maxSize` is `--max-size`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
