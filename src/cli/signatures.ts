import type { Authenticate, ExpectedSigner, OnAuthentic, Trust } from '../index.ts';
import { cis, DrayageError, loadTrust, signatureKeys, signaturePolicy } from '../index.ts';
import { ciOf, readBuild, readJob } from './ci.ts';
import type { Context } from './context.ts';
import type { ExpectOptions } from './expectations.ts';
import { parseExpectations, readSignatureExpectations } from './expectations.ts';
import { readGiven } from './given-file.ts';

/** The options that say whose signature an image has to carry. */
export interface SignatureOptions extends ExpectOptions {
  trustedRoot?: string;
  key?: string;
  identity?: string[];
  identityRegexp?: string;
  issuer?: string;
  expectSigned?: boolean;
}

/** What a command asks for beside. */
export interface SignatureRequest {
  /** Hears of every image that was accepted. */
  onAuthentic?: OnAuthentic;
  /** Asks inside a CI for a job of a protected ref, too. Default false. */
  protectedRef?: boolean;
}

/**
 * Reads which signatures are asked for: undefined where none are. Everything is read and understood before the first image is
 * looked at.
 * @throws {@link DrayageError} `USAGE`, `NOT_FOUND`, `MALFORMED`; `POLICY` for a ref that is not protected
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
    throw new DrayageError('USAGE', `--expect ${key} is about signatures, and none is asked for`, {
      hint: 'add --expect-signed, --trusted-root or --key',
    });
  }
  if (protectedRef) assertProtectedRef(context);
  const trust = await readTrust(options);
  const signer = trust.kind === 'certificate' ? readSigner(options, context) : undefined;
  const job = options.expectSigned === true ? readJob(context.env) : undefined;
  if (options.expectSigned === true && job === undefined && ciOf(context.env) !== undefined)
    throw unreadableJob();
  const values = readSignatureExpectations(job?.origin, options, context.env);
  const buildTypes = cis.map(({ buildType }) => buildType);
  return signaturePolicy(trust, { signer, values, buildTypes }, onAuthentic);
}

/** What a signature does not cover is said, since images are chosen by it. */
function noteNames({ onProgress }: Pick<Context, 'onProgress'>): OnAuthentic {
  return ({ names: [name] }, provenance) => {
    if (name === undefined || provenance.names !== null) return;
    onProgress({ kind: 'note', message: `${name}: the signature covers the image, but no name of it` });
  };
}

function unreadableJob(): DrayageError {
  return new DrayageError(
    'USAGE',
    "--expect-signed means this job's project and commit, and the job cannot be read",
    {
      hint: 'hand on all CI_* variables, or none and no GITLAB_CI',
    },
  );
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

async function readTrust({ trustedRoot, key, ...signer }: SignatureOptions): Promise<Trust> {
  if (trustedRoot === undefined && key === undefined) {
    throw new DrayageError('USAGE', 'a signature is asked for, but nobody is trusted', {
      hint: 'name a trusted root by --trusted-root, or a public key by --key',
    });
  }
  const ofCertificates = signer.identity ?? signer.identityRegexp ?? signer.issuer;
  if (key !== undefined && ofCertificates !== undefined) {
    throw new DrayageError(
      'USAGE',
      '--identity and --issuer are about certificates, and --key asks for a key',
      {
        hint: 'leave one of them out',
      },
    );
  }
  return loadTrust({
    trustedRoot: trustedRoot === undefined ? undefined : await readGiven(trustedRoot, 'the trusted root'),
    publicKeys: key === undefined ? undefined : (await readGiven(key, 'the public key')).toString(),
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
  throw new DrayageError('USAGE', `whose certificates are accepted? --${missing} is not stated`, {
    hint:
      missing === 'issuer'
        ? 'it is the address of the GitLab instance: --issuer https://gitlab.com'
        : 'it is such as https://gitlab.com/group/app//.gitlab-ci.yml@refs/heads/main; inside GitLab --expect-signed means this project and ref',
  });
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new DrayageError('USAGE', `not a regular expression: ${JSON.stringify(text)}`, { cause });
  }
}

/** Only those who may push to a protected ref have a job of one. */
function assertProtectedRef({ env }: Pick<Context, 'env'>): void {
  if (ciOf(env)?.isProtected?.(env) !== false) return;
  throw new DrayageError('POLICY', 'this job is of a ref that is not protected', {
    reason: 'UNPROTECTED_REF',
    hint: 'protect the branch or tag, and release from there',
  });
}
