import type { KeyObject } from 'node:crypto';
import { createPublicKey, sign as signBytes } from 'node:crypto';
import type { Signer, Witness } from '@sigstore/sign';
import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import type { IdentityToken } from './identity-token.ts';
import { IN_TOTO_PAYLOAD } from './media-types.ts';
import { assertSound } from './own-bundle.ts';
import type { Services } from './signing-error.ts';
import { signingError } from './signing-error.ts';
import { keyHint } from './trust.ts';
import { eitherSignal } from '../stream/signals.ts';

/** Signs a statement and returns the bundle. */
export type SignStatement = (statement: Buffer, options?: ContentOptions) => Promise<Buffer>;

/** The services that take part, and how long to wait for them. */
export interface EvidenceOptions {
  /** A transparency log (Rekor) that the signature is entered into. Default: none. */
  rekorUrl?: string | undefined;
  /** A timestamp authority that proves the time of signing. Default: none. */
  tsaUrl?: string | undefined;
  /** How often a service that does not answer, or fails, is retried. Default 2. */
  retries?: number | undefined;
  /** How long to wait for one answer, in milliseconds. Default 15 000. */
  timeout?: number | undefined;
  /** The time limit for everything, in milliseconds. Default 120 000. */
  deadline?: number | undefined;
}

/** Options of {@link keylessSigner}. */
export interface KeylessOptions extends EvidenceOptions {
  /** The certificate authority (Fulcio). */
  fulcioUrl: string;
  /**
   * The token; or a function that gets one for each signature, for tokens that last a few minutes. It counts into the time
   * limit, and its signal fires when nobody waits any more.
   */
  token: IdentityToken | ((options: ContentOptions) => Promise<IdentityToken>);
}

/**
 * Signs with a key that is used once, and a certificate that states the job.
 * @throws {@link DrayageError} `USAGE` without a log or timestamps: a certificate is valid for ten minutes, and nothing
 * would prove that it was used in that time; while signing `SIGNING`, `UNREACHABLE`, `TIMEOUT`, `MALFORMED`
 */
export function keylessSigner(options: KeylessOptions): SignStatement {
  const { fulcioUrl, token, rekorUrl, tsaUrl } = options;
  if (rekorUrl === undefined && tsaUrl === undefined) {
    throw new DrayageError(
      'USAGE',
      'a certificate needs a proof of when it was used, but no service provides one',
      {
        reason: 'UNPROVEN_TIME',
        hint: 'name a log, or a timestamp authority',
      },
    );
  }
  return bounded(options, async (statement, signal) => {
    const own = typeof token === 'function' ? await token({ signal }) : token;
    // A token that comes too late is shown to nobody.
    signal.throwIfAborted();
    const services: Services = { fulcioUrl, rekorUrl, tsaUrl, token: own };
    return makeBundle(statement, options, services, async (network) => {
      const { FulcioSigner } = await import('@sigstore/sign');
      const identityProvider = { getToken: async () => own.token };
      return new FulcioSigner({ fulcioBaseURL: fulcioUrl, identityProvider, ...network });
    });
  });
}

/** Options of {@link keySigner}. */
export interface KeySignerOptions extends EvidenceOptions {
  /** ECDSA P-256, RSA or Ed25519. */
  privateKey: KeyObject;
}

/**
 * Signs with your own key. Without a log and timestamps no service takes part.
 * @throws {@link DrayageError} while signing, as {@link keylessSigner}
 */
export function keySigner(options: KeySignerOptions): SignStatement {
  const { privateKey, rekorUrl, tsaUrl } = options;
  const publicKey = createPublicKey(privateKey);
  const algorithm = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signer: Signer = {
    sign: async (data) => ({
      signature: signBytes(algorithm, data, privateKey),
      key: {
        $case: 'publicKey',
        publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        // No hint here: it would become the envelope's key ID, which has another meaning for cosign.
      },
    }),
  };
  return bounded(options, async (statement) =>
    makeBundle(statement, options, { rekorUrl, tsaUrl }, async () => signer, keyHint(publicKey)),
  );
}

/** The options of every service's client. */
interface Network {
  retry: { retries: number; minTimeout: number; maxTimeout: number };
  timeout: number;
}

async function makeBundle(
  statement: Buffer,
  { retries = 2, timeout = 15_000 }: EvidenceOptions,
  services: Services,
  signer: (network: Network) => Promise<Signer>,
  hint?: string,
): Promise<Buffer> {
  const network: Network = { retry: { retries, minTimeout: 500, maxTimeout: 4000 }, timeout };
  const { bundleToJSON } = await import('@sigstore/bundle');
  const { DSSEBundleBuilder } = await import('@sigstore/sign');
  const builder = new DSSEBundleBuilder({
    signer: await signer(network),
    witnesses: await witnesses(services, network),
    certificateChain: false,
  });
  try {
    const bundle = await builder.create({ data: statement, type: IN_TOTO_PAYLOAD });
    const { content } = bundle.verificationMaterial;
    if (content.$case === 'publicKey' && hint !== undefined) content.publicKey.hint = hint;
    await assertSound(bundle);
    return Buffer.from(JSON.stringify(bundleToJSON(bundle)));
  } catch (error) {
    throw signingError(error, services);
  }
}

async function witnesses({ rekorUrl, tsaUrl }: Services, network: Network): Promise<Witness[]> {
  const { RekorWitness, TSAWitness } = await import('@sigstore/sign');
  return [
    ...(rekorUrl === undefined
      ? []
      : [new RekorWitness({ rekorBaseURL: rekorUrl, entryType: 'dsse', majorApiVersion: 1, ...network })]),
    ...(tsaUrl === undefined ? [] : [new TSAWitness({ tsaBaseURL: tsaUrl, ...network })]),
  ];
}

/**
 * Bounds the whole of signing by the deadline and the signal. The services' clients cannot be aborted: nobody waits for
 * them any more, and they end by their own time limits.
 */
function bounded(
  { deadline = 120_000 }: EvidenceOptions,
  work: (statement: Buffer, signal: AbortSignal) => Promise<Buffer>,
): SignStatement {
  return async (statement, { signal } = {}) => {
    // Starts nothing after an abort.
    signal?.throwIfAborted();
    const stop = new AbortController();
    const late = setTimeout(
      () => stop.abort(new DrayageError('TIMEOUT', `signing took over ${deadline} ms`)),
      deadline,
    );
    const either = eitherSignal(signal, stop.signal);
    const stopped = new Promise<never>((_, reject) => {
      either.addEventListener('abort', () => reject(either.reason), { once: true });
    });
    try {
      return await Promise.race([work(statement, either), stopped]);
    } finally {
      clearTimeout(late);
    }
  };
}
