import { readFileSync } from 'node:fs';
import type { Command, Option } from 'commander';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { variableOf } from '../../src/cli/grammar/command.ts';
import { isImageVariable } from '../../src/ci/variables.ts';
import { completeArguments, createProgram } from '../../src/cli/grammar/program.ts';

const EVERYWHERE = ['json', 'quiet', 'debug', 'maxExpansion', 'idleTimeout'];

function commandsOf(): readonly Command[] {
  return createProgram(async () => {}).commands;
}

/** The commands in an environment in which every variable is set. */
function withVariables(): readonly Command[] {
  for (const option of commandsOf().flatMap(({ options }) => options)) vi.stubEnv(variableOf(option), '1');
  onTestFinished(() => void vi.unstubAllEnvs());
  return commandsOf();
}

/** The page that lists all options. */
function page(commands: readonly Command[]): string {
  const everywhere =
    commands[0]?.options.filter((option) => EVERYWHERE.includes(option.attributeName())) ?? [];
  return `# Options

Every option of every command, with its variable. \`drayage COMMAND --help\` prints the same.
This page is made of the command line: \`npx vitest run test/cli/options.test.ts -u\`.

## Every command

${everywhere.map(line).join('\n')}
${commands.map(section).join('')}`;
}

function section(command: Command): string {
  const own = command.options.filter((option) => !EVERYWHERE.includes(option.attributeName()));
  return `
## ${command.name()}

\`drayage ${command.name()} ${command.usage()}\`: ${command.description()}

${own.map(line).join('\n')}
`;
}

function line({ flags, description, envVar }: Option): string {
  return `- \`${flags}\`${envVar === undefined ? '' : ` (\`${envVar}\`)`}: ${description}`;
}

test('docs/options.md has every option', async () => {
  await expect(page(withVariables())).toMatchFileSnapshot('../../docs/options.md');
});

test.each(['README.md', 'docs/commands.md'])('%s names every command', (path) => {
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const names = commandsOf().map((command) => command.name());
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
});

test('no variable says what prune removes', () => {
  const prune = withVariables().find((command) => command.name() === 'prune');
  const variables = prune?.options.map(({ long, envVar }) => [long, envVar]);
  expect(Object.fromEntries(variables ?? [])).toMatchObject({
    '--image': undefined,
    '--older-than': undefined,
    '--dry-run': 'DRAYAGE_DRY_RUN',
  });
});

test('no variable of an option is one of an image, which a dotenv report brings to later jobs', () => {
  const variables = withVariables().flatMap(({ options }) => options.flatMap(({ envVar }) => envVar ?? []));
  expect(variables).toContain('DRAYAGE_JOB_ID');
  expect(variables.filter(isImageVariable)).toEqual([]);
});

describe('an option that may be repeated', () => {
  const lists = commandsOf().flatMap((command) =>
    command.options
      .filter(({ description }) => description.endsWith('may be repeated'))
      .map((option) => [`${command.name()} ${option.long}`, command.name(), option] as const),
  );

  test.each(lists)('%s takes one value, and leaves the arguments behind it', (_, name, { long }) => {
    const command = commandsOf().find((each) => each.name() === name)!;
    const flag = long!;
    const { operands } = command.parseOptions([flag, 'a.example', 'first', flag, 'b.example', 'second']);
    expect(operands).toEqual(['first', 'second']);
    expect(Object.values(command.opts())).toContainEqual(['a.example', 'b.example']);
  });

  test('is every option with a list', () => {
    expect(lists.length).toBeGreaterThan(25);
    expect(commandsOf().flatMap(({ options }) => options.filter(({ variadic }) => variadic))).toEqual([]);
  });
});

test.each([
  [
    ['save', '-o=DIR', 'app:1'],
    ['save', '-o', 'DIR', 'app:1'],
  ],
  [
    ['load', '-i=app:1', '-i=', 'DIR'],
    ['load', '-i', 'app:1', '-i', '', 'DIR'],
  ],
  [
    ['load', '-q=1'],
    ['load', '-q=1'],
  ],
  [
    ['save', '--out=DIR', 'a=b'],
    ['save', '--out=DIR', 'a=b'],
  ],
])('a short option may be joined to its value by an equals sign: %j', (given, completed) => {
  expect(
    completeArguments(
      given,
      createProgram(async () => {}),
    ),
  ).toEqual(completed);
});

/** A list of branches passes over one that the pipeline does not have. */
const isBranches = ({ long, description }: { long?: string | undefined; description: string }): boolean =>
  /^--(?:base-)?ref$/.test(long ?? '') && description.includes('may be repeated');

describe('an option that takes a value takes no empty one', () => {
  const taking = commandsOf().flatMap((command) =>
    command.options
      .filter((option) => option.required && !isBranches(option))
      .map(({ long }) => [command.name(), long ?? ''] as const),
  );

  test.each(taking)('%s %s', async (command, option) => {
    for (const given of [[`${option}=`], [option, '']]) {
      const run = vi.fn(async () => {});
      await expect(
        createProgram(run).parseAsync([command, ...given], { from: 'user' }),
      ).rejects.toMatchObject({
        code: 'commander.invalidArgument',
        message: expect.stringContaining(option),
      });
      expect(run).not.toHaveBeenCalled();
    }
  });
});
