import { Command } from 'commander';
import { version } from '../version.ts';
import type { Execute } from './command.ts';
import { DAEMON_COMMANDS } from './daemon-commands.ts';
import { LAYOUT_COMMANDS } from './layout-commands.ts';
import { REMOTE_COMMANDS } from './remote-commands.ts';

/** The command line: what may be said, and which command it means. Each command's code is loaded when it is chosen. */
export function createProgram(execute: Execute): Command {
  const program = new Command('drayage')
    .description('Carries docker images from one CI job to the next as regular job artifacts.')
    .version(version(), '-V, --version')
    .configureOutput({ outputError: () => {} });
  for (const make of [...DAEMON_COMMANDS, ...REMOTE_COMMANDS, ...LAYOUT_COMMANDS]) {
    program.addCommand(make(execute).copyInheritedSettings(program).exitOverride());
  }
  return program.exitOverride();
}

/**
 * Arguments as the parser needs them: without any, they request help. Help for a command that does not exist is the
 * same mistake as that command. `-o=DIR` is `-o DIR`, as for docker's client: the parser would leave the `=` in the value.
 */
export function completeArguments(argv: readonly string[], { commands }: Command): readonly string[] {
  const [name = '--help', ...rest] =
    argv[0] === 'help' && argv.length > 1 ? [...argv.slice(1), '--help'] : argv;
  const command = commands.find((one) => one.name() === name);
  const isKnown = name === 'help' || command !== undefined || name.startsWith('-');
  return isKnown ? [name, ...rest.flatMap((argument) => splitShort(argument, command))] : [name];
}

/** The short form of an option and its value, if they are joined by `=`. */
function splitShort(argument: string, command: Command | undefined): readonly string[] {
  const [, short, value] = /^(-[A-Za-z])=(.*)$/s.exec(argument) ?? [];
  const takesValue = command?.options.some((option) => option.short === short && option.required);
  return short === undefined || value === undefined || takesValue !== true ? [argument] : [short, value];
}
