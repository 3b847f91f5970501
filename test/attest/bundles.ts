/** Statements, keys and bundles for the tests of signatures. */
import type { KeyObject } from 'node:crypto';
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { ExpectedProvenance } from '../../src/attest/expect.ts';
import { readIdentityToken } from '../../src/attest/identity-token.ts';
import { BUNDLE_TYPE, IN_TOTO_PAYLOAD } from '../../src/attest/media-types.ts';
import type { KeylessOptions, SignStatement } from '../../src/attest/signer.ts';
import { keylessSigner } from '../../src/attest/signer.ts';
import { provenanceStatement } from '../../src/attest/statement.ts';
import { keyHint } from '../../src/attest/trust.ts';
import type { ExpectationKey } from '../../src/ci/expectations.ts';
import { gitlabBuildType, readBuild } from '../../src/ci/gitlab/build.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { FakeSigstore } from '../support/fake-sigstore.ts';
import { identityToken } from '../support/fake-sigstore.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';

/** What is signed in most tests. */
export const DIGEST: Digest = digestOf(Buffer.from('manifest'));
export const IDENTITY = 'https://gitlab.example/group/app//.gitlab-ci.yml@refs/heads/main';
export const ISSUER = 'https://gitlab.example';

const BUILD = readBuild({
  ...SIGNING_JOB,
  CI_RUNNER_EXECUTABLE_ARCH: 'linux/amd64',
  CI_JOB_STARTED_AT: '2026-01-01T00:00:00Z',
});

/** JSON that a test takes apart. */
// oxlint-disable-next-line typescript/no-explicit-any -- a mutation reaches into any part of any document
export type Loose = any;

/** The statement about an image, changed as the test wants. */
export function statement(change: (value: Loose) => void = () => {}, digest: Digest = DIGEST): Buffer {
  const image = { digest, ids: [digestOf(Buffer.from('config'))], names: ['app:1'] };
  const options = { finishedAt: new Date('2026-01-01T00:01:00Z'), version: '1.2.3' };
  const value: Loose = JSON.parse(provenanceStatement(image, BUILD, options).toString());
  change(value);
  return Buffer.from(JSON.stringify(value));
}

export function keyPair(): { privateKey: KeyObject; publicKeys: string; hint: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const publicKeys = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { privateKey, publicKeys, hint: keyHint(publicKey) };
}

/** A bundle as any tool may make it, signed with a key. */
export function keyBundle(
  privateKey: KeyObject,
  payload: Buffer,
  payloadType: string = IN_TOTO_PAYLOAD,
): Loose {
  const encoded = Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `),
    payload,
  ]);
  const sig = sign('sha256', encoded, privateKey).toString('base64');
  return {
    mediaType: BUNDLE_TYPE,
    verificationMaterial: { publicKey: { hint: keyHint(createPublicKey(privateKey)) }, tlogEntries: [] },
    dsseEnvelope: { payload: payload.toString('base64'), payloadType, signatures: [{ sig, keyid: '' }] },
  };
}

/** Signs without a key, at a stand-in. */
export function keyless(fake: FakeSigstore, options: Partial<KeylessOptions> = {}): SignStatement {
  const { fulcioUrl, rekorUrl, tsaUrl } = fake;
  const token = readIdentityToken(identityToken(), new Date());
  return keylessSigner({ fulcioUrl, rekorUrl, tsaUrl, token, retries: 0, ...options });
}

/** What is expected in most tests, and beside it. */
export function expected(
  values: Partial<Record<ExpectationKey, string>> = {},
  signer: ExpectedProvenance['signer'] = { issuer: ISSUER, identity: [IDENTITY] },
): ExpectedProvenance {
  const accepted = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, value === 'any' ? value : [value]] as const),
  );
  return { signer, values: accepted, buildTypes: [gitlabBuildType] };
}

export function bytesOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
