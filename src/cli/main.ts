import { Budget, withProcessBudget } from '../budget.ts';
import { DrayageError, firstFailure, isError } from '../errors.ts';
import { diskError } from '../system-error.ts';
import type { CommonOptions, Outcome } from './context.ts';
import { FAILURE, OK } from './exit-code.ts';
import { completeArguments, createProgram } from './grammar/program.ts';
import { printJson, printLine, printMessage, printStack } from './output.ts';
import { Interruption } from './interruption.ts';
import { createProgressDisplay } from './progress.ts';
import { parseAge, parseSize } from './quantities.ts';

/**
 * Runs the command line. Progress and errors go to standard error, the result to standard output.
 * @param onLoaded called when the chosen command is loaded, before it runs
 * @returns the exit code
 */
export async function main(argv: readonly string[], onLoaded?: () => void): Promise<number> {
  const controller = new AbortController();
  const interrupt = (signal: 'SIGINT' | 'SIGTERM'): void => controller.abort(new Interruption(signal));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  let isLost = false;
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of our output may stop reading: the command itself has finished.
    if (error.code === 'EPIPE') return;
    isLost = true;
    process.exitCode = FAILURE;
    void printFailure(diskError(error, 'cannot write to standard output'), {});
  });
  const display = createProgressDisplay(process.stderr);
  // Known before parsing, because a mistake in the arguments is reported in this form, too.
  let options: CommonOptions = { json: argv.includes('--json') };
  let exitCode = OK;
  let command: string | undefined;
  const onStandstill = (): void => {
    process.exitCode = FAILURE;
    display.end();
    void printFailure(
      new Error('the run has come to a standstill: this is a fault of drayage'),
      options,
      command,
    );
  };
  process.once('beforeExit', onStandstill);
  try {
    const program = createProgram(async (run, common) => {
      options = common;
      onLoaded?.();
      const context = {
        env: process.env,
        stdout: process.stdout,
        signal: controller.signal,
        onProgress: common.quiet === true ? () => {} : display.onProgress,
        idleTimeout: idleTimeoutOf(common),
      };
      const { maxExpansion } = common;
      const limits = maxExpansion === undefined ? {} : { expansion: parseSize(maxExpansion) };
      const outcome = await withProcessBudget(() => run(context), new Budget(limits));
      display.end();
      printOutcome(outcome, common);
      exitCode = outcome.exitCode ?? OK;
    });
    command = program.commands.map((one) => one.name()).find((name) => name === argv[0]);
    await program.parseAsync(completeArguments(argv, program), { from: 'user' });
    return isLost ? FAILURE : exitCode;
  } catch (thrown) {
    display.end();
    const error = firstFailure(thrown);
    return isLost ? FAILURE : await printFailure(error, options, command);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('beforeExit', onStandstill);
  }
}

/** @throws {@link DrayageError} `USAGE` */
function idleTimeoutOf({ idleTimeout }: CommonOptions): number | undefined {
  if (idleTimeout === undefined) return undefined;
  const milliseconds = parseAge(idleTimeout, 'a time to wait');
  if (milliseconds > 0) return milliseconds;
  throw new DrayageError('USAGE', 'no server answers in no time: --idle-timeout 0', {
    hint: 'an example: 5m',
  });
}

function printOutcome({ json, text, quiet }: Outcome, options: CommonOptions): void {
  if (options.json === true) return printJson(process.stdout, json);
  for (const line of options.quiet === true ? quiet : text) printLine(process.stdout, line);
}

/** Prints an error. Its words are loaded only now: most runs do not fail. */
async function printFailure(error: unknown, options: CommonOptions, command?: string): Promise<number> {
  const shown = isShownAlready(error);
  if (shown !== undefined) return shown;
  const { describeFailure } = await import('./report-error.ts');
  const { exitCode, lines, json } = describeFailure(error, command);
  if (options.json === true) printJson(process.stdout, json);
  const [first, ...rest] = lines;
  printMessage(process.stderr, `drayage: ${first}`);
  for (const line of rest) printMessage(process.stderr, `  ${line}`);
  if (options.debug === true && isError(error)) printStack(process.stderr, error);
  return exitCode;
}

/** The parser prints help and version, and then ends the run with an error. */
function isShownAlready(error: unknown): number | undefined {
  const shown = ['commander.helpDisplayed', 'commander.help', 'commander.version'];
  if (!(isError(error) && 'code' in error && shown.includes(String(error.code)))) return undefined;
  return 'exitCode' in error ? Number(error.exitCode) : OK;
}
