import { Command } from 'commander';
import { saveCommand, loadCommand, unloadCommand } from './grammar/daemon-commands.ts';
import {
  mergeCommand,
  pruneCommand,
  inspectCommand,
  diffCommand,
  verifyCommand,
  signCommand,
} from './grammar/layout-commands.ts';
import { fetchCommand, promoteCommand, untagCommand } from './grammar/remote-commands.ts';
import type { Execute } from './grammar/execute.ts';
import { version } from './version.ts';

/** The command line: what may be said, and which command it means. Each command's code is loaded when it is used. */
export function createProgram(execute: Execute): Command {
  const program = new Command('drayage')
    .description('Carries docker images from one CI job to the next as regular job artifacts.')
    .version(version(), '-V, --version')
    .configureOutput({ outputError: () => {} });
  const commands = [
    saveCommand,
    loadCommand,
    unloadCommand,
    fetchCommand,
    mergeCommand,
    pruneCommand,
    inspectCommand,
    diffCommand,
    verifyCommand,
    signCommand,
    promoteCommand,
    untagCommand,
  ];
  for (const command of commands) {
    program.addCommand(command(execute).copyInheritedSettings(program).exitOverride());
  }
  return program.exitOverride();
}
