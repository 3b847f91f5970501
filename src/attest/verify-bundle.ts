import type { Digest } from '../oci/digest.ts';
import { readStatement } from './claims.ts';
import type { ExpectedProvenance } from './expect.ts';
import { assertExpected, assertPipeline, assertSigner, expectedTypes, withBuildTypes } from './expect.ts';
import type { Provenance } from './provenance.ts';
import { provenanceOf } from './provenance.ts';
import { readShape } from './shape.ts';
import type { Trust } from './trust.ts';

/**
 * Verifies that a bundle vouches for content and meets the expectations. Pure: no file, no network, no clock; a
 * certificate is checked at the time that logs and timestamps prove.
 *
 * In this order: the bundle's size and shape, before anything is decoded; certificate or key, timestamps, log entries
 * and the signature; the signer; the signed statement, and that it is about this content; the expectations.
 * @param bytes the bundle
 * @param digest of the manifest, or the index, that it must be about
 * @throws {@link DrayageError} `POLICY`, whose `reason` says which check failed
 */
export function verifyBundle(
  bytes: Uint8Array,
  digest: Digest,
  trust: Trust,
  expectations: ExpectedProvenance,
): Provenance {
  const expected = withBuildTypes(expectations);
  const { payloadType, payload, signer } = trust.verify(readShape(bytes));
  assertSigner(signer, expected);
  const statement = readStatement(payloadType, payload, digest, {
    predicateTypes: expectedTypes(expected),
    buildTypes: expected.buildTypes,
  });
  const provenance = provenanceOf(statement, signer);
  assertPipeline(signer, expected);
  assertExpected(provenance, expected);
  return provenance;
}
