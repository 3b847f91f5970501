import type { Authenticate } from '../index.ts';
import { DrayageError, signatureKeys } from '../index.ts';
import type { Context } from './context.ts';
import { parseExpectations } from './expectations.ts';
import type { SignatureOptions, SignatureRequest } from './signature-options.ts';

/**
 * Reads the policy for signatures; undefined if none is required. All options and files are read and checked before the
 * first image.
 * @throws {@link DrayageError} `USAGE`, `NOT_FOUND`, `MALFORMED`; `POLICY` for an unprotected ref
 */
export async function readSignaturePolicy(
  options: SignatureOptions,
  context: Pick<Context, 'env' | 'onProgress'>,
  request: SignatureRequest = {},
): Promise<Authenticate | undefined> {
  if (!isAsked(options)) {
    const expected = parseExpectations(options.expect);
    const key = signatureKeys.find((one) => expected[one] !== undefined);
    if (key === undefined) return undefined;
    throw new DrayageError('USAGE', `--expect ${key} applies to signatures, but no signature is required`, {
      hint: 'add --expect-signed, --trusted-root or --key',
    });
  }
  const { requiredSignatures } = await import('./required-signatures.ts');
  return requiredSignatures(options, context, request);
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
