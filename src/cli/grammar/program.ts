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
