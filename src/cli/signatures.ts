import type { Authenticate, ExpectedSigner, OnAuthentic, Trust } from '../index.ts';
import { cis, DrayageError, loadTrust, signatureKeys, signaturePolicy } from '../index.ts';
import { ciOf, readBuild, readJob } from './ci.ts';
import type { Context } from './context.ts';
import type { ExpectOptions } from './expectations.ts';
import { parseExpectations, readSignatureExpectations } from './expectations.ts';
import { readTrustFile } from './trust-file.ts';

/** The options for required signatures. */
export interface SignatureOptions extends ExpectOptions {
  trustedRoot?: string;
  key?: string;
  identity?: string[];
  identityRegexp?: string;
  issuer?: string;
  expectSigned?: boolean;
}

/** What a command requires besides the options. */
export interface SignatureRequest {
  /** Called with every accepted image. */
  onAuthentic?: OnAuthentic;
  /** Asks inside a CI for a job of a protected ref, too. Default false. */
  protectedRef?: boolean;
}

/**
 * Reads the policy for signatures; undefined if none is required. All options and files are read and checked before the
 * first image.
 * @throws {@link DrayageError} `USAGE`, `NOT_FOUND`, `MALFORMED`; `POLICY` for an unprotected ref
 */
export async function readSignaturePolicy(
  options: SignatureOptions,
  context: Pick<Context, 'env' | 'onProgress'>,
  { onAuthentic = noteNames(context), protectedRef = false }: SignatureRequest = {},
): Promise<Authenticate | undefined> {
  if (!isAsked(options)) {
    const expected = parseExpectations(options.expect);
    const key = signatureKeys.find((one) => expected[one] !== undefined);
    if (key === undefined) return undefined;
    throw new DrayageError('USAGE', `--expect ${key} applies to signatures, but no signature is required`, {
      hint: 'add --expect-signed, --trusted-root or --key',
    });
  }
  if (protectedRef) assertProtectedRef(context);
  const trust = await readTrust(options, context);
  const signer = trust.kind === 'certificate' ? readSigner(options, context) : undefined;
  const job = options.expectSigned === true ? readJob(context.env) : undefined;
  const values = readSignatureExpectations(job?.origin, options, context.env);
  const buildTypes = cis.map(({ buildType }) => buildType);
  return signaturePolicy(trust, { signer, values, buildTypes }, onAuthentic);
}

/** Images are chosen by name, so a note says if the signature does not cover the names. */
function noteNames({ onProgress }: Pick<Context, 'onProgress'>): OnAuthentic {
  return ({ names: [name] }, provenance) => {
    if (name === undefined || provenance.names !== null) return;
    onProgress({ kind: 'note', message: `${name}: the signature covers the image, but not its names` });
  };
}

function isAsked({
  trustedRoot,
  key,
  identity,
  identityRegexp,
  issuer,
  expectSigned,
}: SignatureOptions): boolean {
  const named = [trustedRoot, key, identity, identityRegexp, issuer];
  return expectSigned === true || named.some((option) => option !== undefined);
}

/** What each option for trust holds. */
const ROOT = { option: '--trusted-root', what: 'the trusted root' };
const KEYS = { option: '--key', what: 'the public key' };

async function readTrust(
  { trustedRoot, key, ...signer }: SignatureOptions,
  context: Pick<Context, 'env'>,
): Promise<Trust> {
  if (trustedRoot === undefined && key === undefined) {
    throw new DrayageError('USAGE', 'a signature is required, but no trusted root or key is given', {
      hint: 'use --trusted-root FILE or --key FILE',
    });
  }
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
  return loadTrust({
    trustedRoot: trustedRoot === undefined ? undefined : await readTrustFile(trustedRoot, ROOT, context),
    publicKeys: key === undefined ? undefined : (await readTrustFile(key, KEYS, context)).toString(),
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
    hint:
      missing === 'issuer'
        ? 'the issuer is the address of the GitLab instance: --issuer https://gitlab.com'
        : 'an example: https://gitlab.com/group/app//.gitlab-ci.yml@refs/heads/main; inside GitLab --expect-signed means this project and ref',
  });
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
