/**
 * Signatures: keys and identities, what a signature states, and who is trusted.
 * @module drayage/attest
 */
import '../disposal.ts';
export type { OnAuthentic } from '../attest/authenticate.ts';
export { signaturePolicy } from '../attest/authenticate.ts';
export type { CertificateFacts } from '../attest/certificate.ts';
export type { ExpectedProvenance, ExpectedSigner } from '../attest/expect.ts';
export type { IdentityToken } from '../attest/identity-token.ts';
export { readIdentityToken } from '../attest/identity-token.ts';
export { loadPrivateKey } from '../attest/private-key.ts';
export type { Provenance } from '../attest/provenance.ts';
export type { BundleShape } from '../attest/shape.ts';
export type { EvidenceOptions, KeylessOptions, KeySignerOptions, SignStatement } from '../attest/signer.ts';
export { keylessSigner, keySigner } from '../attest/signer.ts';
export { githubStatement, gitlabStatement } from '../attest/job-statements.ts';
export type { AttestedImage, MakeStatement, StatementOptions } from '../attest/statement.ts';
export { provenanceOfBuild } from '../attest/statement.ts';
export type { Signer, Trust, TrustOptions, VerifiedEnvelope } from '../attest/trust.ts';
export { loadTrust } from '../attest/trust.ts';
export { verifyBundle } from '../attest/verify-bundle.ts';
export type { Authenticate, SignedFacts, Voucher } from '../content/policy.ts';
export type { ErrorCode, ErrorFacts } from '../errors.ts';
export { DrayageError, isDrayageError } from '../errors.ts';
export type { Digest } from '../oci/digest.ts';
