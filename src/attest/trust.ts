import type { KeyObject } from 'node:crypto';
import { createHash, createPublicKey } from 'node:crypto';
import type { TrustedRoot } from '@sigstore/protobuf-specs';
import type { Bundle } from '@sigstore/bundle';
import { DrayageError } from '../errors.ts';
import { parseJson } from '../oci/json.ts';
import type { CertificateFacts } from './certificate.ts';
import { certificateFacts } from './certificate.ts';
import { refusal } from './refusal.ts';
import type { BundleShape } from './shape.ts';
import { asRefusal } from './verification-error.ts';

/** The trust: a trusted root, public keys, or keys with the logs of a root. */
export interface TrustOptions {
  /**
   * A trusted root (sigstore's `trusted_root.json`): the trusted certificates, logs and timestamp authorities.
   * Everything that it names is required: a certificate needs a promise of its CT logs, a bundle an entry in its logs.
   */
  trustedRoot?: Uint8Array | undefined;
  /** Public keys as PEM, one or several. With keys, no certificate is accepted. */
  publicKeys?: string | undefined;
}

/** The signer, as it was proven. */
export type Signer =
  | ({ kind: 'certificate' } & CertificateFacts)
  | {
      kind: 'key';
      /** SHA-256 of the public key's DER form, in base64: the hint in bundles. */
      hint: string;
    };

/** The signed content and its signer. */
export interface VerifiedEnvelope {
  payloadType: string;
  payload: Buffer;
  signer: Signer;
}

/** The trust that signatures are verified against; see {@link loadTrust}. It does no I/O. */
export interface Trust {
  /** The kind of signatures that it accepts. */
  readonly kind: Signer['kind'];
  /**
   * Verifies a bundle whose shape was checked: signature, certificate, log entries and timestamps.
   * @throws {@link DrayageError} `POLICY`
   */
  verify(bundle: BundleShape): VerifiedEnvelope;
}

/** The maximum number of public keys that are tried. */
const MAX_KEYS = 16;
const HINT =
  'make it with cosign trusted-root create, or take the trusted_root.json of the sigstore instance';

/**
 * Reads the trust, and loads the verifier.
 * @throws {@link DrayageError} `USAGE` if nothing is trusted; `MALFORMED`
 */
export async function loadTrust({ trustedRoot, publicKeys }: TrustOptions): Promise<Trust> {
  const { bundleFromJSON } = await import('@sigstore/bundle');
  const { TrustedRoot: parser } = await import('@sigstore/protobuf-specs');
  const { toSignedEntity, toTrustMaterial, Verifier } = await import('@sigstore/verify');
  const keys = publicKeys === undefined ? undefined : readPublicKeys(publicKeys);
  if (trustedRoot === undefined && keys === undefined) {
    throw new DrayageError('USAGE', 'nothing is trusted', { hint: 'name a trusted root, or a public key' });
  }
  const root = readRoot(parser, trustedRoot);
  const verifyWith = (bundle: Bundle, key?: KeyObject): Signer => {
    const entity = toSignedEntity(relevant(bundle, root, key !== undefined));
    const material = toTrustMaterial(root, () => keyOrNone(key));
    const verifier = new Verifier(material, {
      ctlogThreshold: Math.min(root.ctlogs.length, 1),
      tlogThreshold: Math.min(root.tlogs.length, 1),
      timestampThreshold: key === undefined ? 1 : 0,
    });
    const { identity } = verifier.verify(entity);
    if (key !== undefined) return { kind: 'key', hint: keyHint(key) };
    const extensions = (identity?.oids ?? []).map(
      ({ oid, value }) => [oid?.id.join('.') ?? '', Buffer.from(value)] as const,
    );
    const facts = certificateFacts(certificateOf(bundle), identity?.subjectAlternativeName, extensions);
    return { kind: 'certificate', ...facts };
  };
  // Parses the root now, so that a mistake in it is reported as one.
  malformedRoot(() => toTrustMaterial(root));
  const kind = keys === undefined ? 'certificate' : 'key';
  return {
    kind,
    verify: (shape) =>
      asRefusal(() => {
        const bundle = bundleFromJSON(shape);
        assertKind(bundle, kind);
        const signer =
          keys === undefined ? verifyWith(bundle) : anyKey(keys, (key) => verifyWith(bundle, key));
        return { ...envelopeOf(bundle), signer };
      }),
  };
}

/** The name of a public key in bundles: base64 of the SHA-256 of its DER form. */
export function keyHint(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64');
}

function readPublicKeys(pem: string): KeyObject[] {
  const blocks =
    pem.match(/-----BEGIN (?:RSA )?PUBLIC KEY-----[\s\S]+?-----END (?:RSA )?PUBLIC KEY-----/g) ?? [];
  if (blocks.length === 0 || blocks.length > MAX_KEYS) {
    throw new DrayageError('MALFORMED', `the key file contains ${blocks.length} public keys`, {
      hint: 'the file must contain public keys as PEM: cosign.pub, or the output of openssl pkey -pubout',
    });
  }
  try {
    return blocks.map((block) => createPublicKey(block));
  } catch (cause) {
    throw new DrayageError('MALFORMED', 'the key file contains an unreadable public key', { cause });
  }
}

function readRoot(parser: typeof TrustedRoot, bytes: Uint8Array | undefined): TrustedRoot {
  const value = bytes === undefined ? {} : parseJson(bytes, 'the trusted root');
  const root = malformedRoot(() => parser.fromJSON(value));
  if (bytes === undefined || root.certificateAuthorities.length + root.tlogs.length > 0) return root;
  throw new DrayageError('MALFORMED', 'the trusted root names no authority and no log', { hint: HINT });
}

function malformedRoot<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new DrayageError('MALFORMED', 'the trusted root is unreadable', { cause, hint: HINT });
  }
}

/** The relevant evidence: what no log or authority of the root vouches for proves nothing. */
function relevant(bundle: Bundle, root: TrustedRoot, isKey: boolean): Bundle {
  const { verificationMaterial: material } = bundle;
  const hasTimestamps = root.timestampAuthorities.length > 0 && !isKey;
  const tlogEntries = root.tlogs.length > 0 ? material.tlogEntries : [];
  const timestampVerificationData = hasTimestamps ? material.timestampVerificationData : undefined;
  return { ...bundle, verificationMaterial: { ...material, tlogEntries, timestampVerificationData } };
}

function keyOrNone(key: KeyObject | undefined): { publicKey: KeyObject; validFor: () => boolean } {
  if (key === undefined) throw refusal('KEY', 'no public key is trusted');
  return { publicKey: key, validFor: () => true };
}

/** The first key that verifies it; otherwise the error of the last one. */
function anyKey(keys: readonly KeyObject[], verify: (key: KeyObject) => Signer): Signer {
  let failure: unknown;
  for (const key of keys) {
    try {
      return verify(key);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function assertKind(bundle: Bundle, wanted: Signer['kind']): void {
  const isKey = bundle.verificationMaterial.content.$case === 'publicKey';
  if (isKey && wanted === 'certificate') {
    throw refusal('KEY_SIGNED', 'it is signed with a key, but a certificate is required');
  }
  if (!isKey && wanted === 'key') {
    throw refusal('CERTIFICATE_SIGNED', 'it is signed with a certificate, but a key is required');
  }
}

function certificateOf({ verificationMaterial: { content } }: Bundle): Buffer {
  const raw =
    content.$case === 'certificate'
      ? content.certificate.rawBytes
      : content.$case === 'x509CertificateChain'
        ? content.x509CertificateChain.certificates[0]?.rawBytes
        : undefined;
  return Buffer.from(raw ?? []);
}

function envelopeOf({ content }: Bundle): { payloadType: string; payload: Buffer } {
  if (content.$case !== 'dsseEnvelope') throw refusal('NO_ENVELOPE', 'the bundle contains no DSSE envelope');
  const { payloadType, payload } = content.dsseEnvelope;
  return { payloadType, payload: Buffer.from(payload) };
}
