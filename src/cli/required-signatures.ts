import type { Authenticate, ExpectedSigner, OnAuthentic, Trust } from '../index.ts';
import { cis, DrayageError, loadTrust, signaturePolicy } from '../index.ts';
import { ciOf, readBuild, readJob } from './ci.ts';
import type { Context } from './context.ts';
import { interpretGiven } from './interpret-given.ts';
import { readSignatureExpectations } from './expectations.ts';
import type { SignatureOptions, SignatureRequest } from './signature-options.ts';
import { placeOfTrust, readTrustFile } from './trust-file.ts';

/**
 * The policy of options that require signatures. Errors as of `readSignaturePolicy`, which loads this only if any does.
 */
export async function requiredSignatures(
  options: SignatureOptions,
  context: Pick<Context, 'env' | 'onProgress'>,
  { onAuthentic = noteNames(context), protectedRef = false }: SignatureRequest,
): Promise<Authenticate> {
  if (protectedRef) assertProtectedRef(context);
  const trust = await readTrust(options, context);
  const signer = trust.kind === 'certificate' ? readSigner(options, context) : undefined;
  const job = options.expectSigned === true ? readJob(context.env) : undefined;
  const values = readSignatureExpectations(job?.origin, options, context.env);
  return signaturePolicy(trust, { signer, values }, onAuthentic);
}

/** Images are chosen by name, so a note says if the signature does not cover the names. */
function noteNames({ onProgress }: Pick<Context, 'onProgress'>): OnAuthentic {
  return ({ names: [name] }, provenance) => {
    if (name === undefined || provenance.names !== null) return;
    onProgress({ kind: 'note', message: `${name}: the signature covers the image, but not its names` });
  };
}

/** What each option for trust holds. */
const ROOT = { option: '--trusted-root', what: 'the trusted root' };
const KEYS = { option: '--key', what: 'the public key', isSecret: true };

async function readTrust(
  { trustedRoot, key, ...signer }: SignatureOptions,
  context: Pick<Context, 'env'>,
): Promise<Trust> {
  const ofCertificates = signer.identity ?? signer.identityRegexp ?? signer.issuer;
  if (key !== undefined && ofCertificates !== undefined) {
    throw new DrayageError(
      'USAGE',
      '--identity and --issuer apply to certificates, but --key requires a key',
      {
        hint: 'omit one of them',
      },
    );
  }
  const publicKeys = key === undefined ? undefined : (await readTrustFile(key, KEYS, context)).toString();
  // The keys alone first: what fails then is in the root.
  const keys =
    key === undefined
      ? undefined
      : await interpretGiven(placeOfTrust(key, KEYS), () => loadTrust({ publicKeys }));
  if (trustedRoot !== undefined) {
    const root = await readTrustFile(trustedRoot, ROOT, context);
    return interpretGiven(placeOfTrust(trustedRoot, ROOT), () =>
      loadTrust({ trustedRoot: root, publicKeys }),
    );
  }
  if (keys !== undefined) return keys;
  throw new DrayageError('USAGE', 'a signature is required, but no trusted root or key is given', {
    hint: 'use --trusted-root FILE or --key FILE',
  });
}

/** Whose certificates are accepted; inside a CI `--expect-signed` means those of this project, ref and configuration. */
function readSigner(
  { identity, identityRegexp, issuer, expectSigned }: SignatureOptions,
  { env }: Pick<Context, 'env'>,
): ExpectedSigner {
  const own = expectSigned === true ? readBuild(env)?.signer : undefined;
  const identities = identity ?? (own?.identity === undefined ? undefined : [own.identity]);
  const accepted = identityRegexp === undefined ? identities : pattern(identityRegexp);
  const by = issuer ?? own?.issuer;
  if (identity !== undefined && identityRegexp !== undefined) {
    throw new DrayageError('USAGE', '--identity and --identity-regexp exclude each other');
  }
  if (accepted !== undefined && by !== undefined) return { issuer: by, identity: accepted };
  const missing = accepted === undefined ? 'identity' : 'issuer';
  throw new DrayageError('USAGE', `no accepted signer given: --${missing} is missing`, {
    hint: `${signerExamples(missing, env)}; in a job --expect-signed means its project and ref`,
  });
}

/** What to say of a signer: for jobs of the CI that this process runs in, or of every CI. */
function signerExamples(what: 'identity' | 'issuer', env: Context['env']): string {
  const here = ciOf(env);
  const examples = (here === undefined ? cis : [here]).flatMap(({ title, signerExample }) => {
    const example = signerExample?.[what];
    return example === undefined ? [] : [`for ${title} such as --${what} ${example}`];
  });
  return examples.join(', ');
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new DrayageError('USAGE', `not a regular expression: ${JSON.stringify(text)}`, { cause });
  }
}

/** Only people who may push to a protected ref can run a job of it. */
function assertProtectedRef({ env }: Pick<Context, 'env'>): void {
  if (ciOf(env)?.isProtected?.(env) !== false) return;
  throw new DrayageError('POLICY', 'the ref of this job is not protected', {
    reason: 'UNPROTECTED_REF',
    hint: 'protect the branch or tag, and release from there',
  });
}
