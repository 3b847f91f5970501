import type { Context, Outcome } from '../context.ts';
import type { Check, Status } from '../doctor/check.ts';
import { diagnose } from '../doctor/diagnose.ts';
import type { DoctorCommandOptions } from '../doctor/input.ts';
import { tellable } from '../../text/userinfo.ts';
import { exitCodeOf, FAILURE, OK } from '../exit-code.ts';

/** From the best to the worst. */
const STATUSES: readonly Status[] = ['ok', 'warn', 'fail'];

/** `drayage doctor` */
export async function diagnoseHere(
  names: readonly string[],
  options: DoctorCommandOptions,
  context: Context,
): Promise<Outcome> {
  const checks = (await diagnose({ names, options, context })).map(tellable);
  const exitCode = codeOfSave(checks);
  const status = STATUSES.findLast((each) => checks.some((check) => check.status === each)) ?? 'ok';
  const width = Math.max(...checks.map(({ name }) => name.length));
  return {
    json: { status, exitCode, checks },
    text: [...checks.flatMap((check) => describe(check, width)), `exit code of a save here: ${exitCode}`],
    quiet: [],
    exitCode,
  };
}

/** The code of the first check that a save does not pass. */
function codeOfSave(checks: readonly Check[]): number {
  const failed = checks.find(({ status }) => status === 'fail');
  if (failed === undefined) return OK;
  return failed.code === undefined ? FAILURE : exitCodeOf(failed.code);
}

function describe({ status, name, message, hint }: Check, width: number): string[] {
  const line = `${status.padEnd(5)} ${name.padEnd(width)}  ${message}`;
  return hint === undefined ? [line] : [line, `${' '.repeat(6)}${' '.repeat(width)}  ${hint}`];
}
