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
 * same mistake as that command.
 */
export function completeArguments(argv: readonly string[], { commands }: Command): readonly string[] {
  const [name = '--help', ...rest] =
    argv[0] === 'help' && argv.length > 1 ? [...argv.slice(1), '--help'] : argv;
  const isCommand = name === 'help' || commands.some((command) => command.name() === name);
  return isCommand || name.startsWith('-') ? [name, ...rest] : [name];
}
