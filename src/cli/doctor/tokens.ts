import { readIdentityToken } from '../../index.ts';
import { ciOf, isGitLab } from '../ci.ts';
import type { Context } from '../context.ts';
import { prepareSigning } from '../signing.ts';
import type { Check } from './check.ts';
import { examine } from './check.ts';
import type { DoctorInput } from './input.ts';

/** The variables that hold a token or a password, and what reads each. */
const SECRETS = {
  CI_JOB_TOKEN: 'reading artifacts of jobs',
  DRAYAGE_GITLAB_TOKEN: 'listing jobs',
  SIGSTORE_ID_TOKEN: 'signing with --keyless',
  COSIGN_PASSWORD: 'an encrypted signing key',
};

/** The tokens in variables: which are set, never what they are. */
export async function checkTokens({ context: { env } }: DoctorInput): Promise<Check> {
  return examine('tokens', 'warn', async (facts) => {
    const set = Object.entries(SECRETS).filter(([name]) => env[name]);
    facts['set'] = set.map(([name]) => name);
    const message = set.length === 0 ? 'no token is set' : set.map(describe).join(', ');
    if (env['SIGSTORE_ID_TOKEN']) assertIdentity(env);
    const isJobWithout = isGitLab({ env }) && !env['CI_JOB_TOKEN'] && !env['DRAYAGE_GITLAB_TOKEN'];
    const hint = 'CI_JOB_TOKEN and DRAYAGE_GITLAB_TOKEN are empty: fetch and load --job cannot work';
    return isJobWithout ? { status: 'warn', message, hint, facts } : { status: 'ok', message, facts };
  });
}

/** Whether the images can be signed, if that was requested. */
export async function checkSigning({ options, context }: DoctorInput): Promise<Check> {
  return examine('signing', 'fail', async (facts) => {
    facts['requested'] = options.sign === true;
    if (options.sign !== true) return { status: 'ok', message: 'not requested (--sign)', facts };
    await prepareSigning(options, { ...context, onProgress: () => {} });
    return {
      status: 'ok',
      message: `the images can be signed ${options.key ? 'with --key' : 'keyless'}`,
      facts,
    };
  });
}

function describe([name, purpose]: [string, string]): string {
  return `${name} (${purpose})`;
}

/** @throws {@link DrayageError} if the token is malformed or has expired; its text is not in the error */
function assertIdentity(env: Context['env']): void {
  readIdentityToken(env['SIGSTORE_ID_TOKEN'], new Date(), ciOf(env)?.tokenHint);
}
