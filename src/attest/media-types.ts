/** A sigstore bundle: the signed document, the signature, and everything needed to verify it. */
export const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
/** The payload of an envelope that holds an in-toto statement. */
export const IN_TOTO_PAYLOAD = 'application/vnd.in-toto+json';
/** in-toto attestation framework, statement.md. */
export const STATEMENT_V1 = 'https://in-toto.io/Statement/v1';
/** SLSA provenance v1. */
export const PROVENANCE_V1 = 'https://slsa.dev/provenance/v1';

/** Whether an artifact of this type is a sigstore bundle of any version. */
export function isBundleType(artifactType: string | undefined): boolean {
  return artifactType?.startsWith('application/vnd.dev.sigstore.bundle') === true;
}
