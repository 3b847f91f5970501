import * as v from 'valibot';
import type { RefusalReason } from '../errors.ts';
import { isDrayageError } from '../errors.ts';
import { parseJson } from '../oci/json.ts';
import { refusal } from './refusal.ts';

/** The largest bundle that is read, in bytes. */
export const MAX_BUNDLE_SIZE: number = 1024 * 1024;
/** The maximum nesting of a bundle or a statement. */
const MAX_DEPTH = 32;
const MAX_LOG_ENTRIES = 8;
const MAX_TIMESTAMPS = 8;

/** Base64 of at most this many bytes. */
function base64(bytes: number): v.GenericSchema<unknown, string> {
  return v.pipe(v.string(), v.maxLength(Math.ceil(bytes / 3) * 4));
}

/** A whole number in protobuf's JSON, which writes 64-bit ones as strings. */
const wholeNumber = v.union([v.pipe(v.string(), v.regex(/^\d{1,20}$/)), v.pipe(v.number(), v.safeInteger())]);
/** DER of a certificate or a timestamp. Its decoder may copy it once for each level of nesting. */
const der = base64(16 * 1024);

/** The parts of a bundle that are checked before anything in it is decoded; it also contains others. */
export interface BundleShape {
  mediaType: string;
  dsseEnvelope?: { payload: string; payloadType: string; signatures: { sig: string }[] } | null | undefined;
  verificationMaterial: {
    tlogEntries?:
      | { inclusionProof?: { checkpoint?: { envelope: string } | null | undefined } | null | undefined }[]
      | null
      | undefined;
    timestampVerificationData?:
      | { rfc3161Timestamps?: { signedTimestamp: string }[] | null | undefined }
      | null
      | undefined;
  };
}

const logEntry = v.looseObject({
  logIndex: v.optional(wholeNumber),
  integratedTime: v.optional(wholeNumber),
  inclusionPromise: v.nullish(v.looseObject({ signedEntryTimestamp: base64(4096) })),
  inclusionProof: v.nullish(
    v.looseObject({
      logIndex: v.optional(wholeNumber),
      treeSize: v.optional(wholeNumber),
      hashes: v.optional(v.pipe(v.array(base64(64)), v.maxLength(64))),
      checkpoint: v.nullish(v.looseObject({ envelope: v.pipe(v.string(), v.maxLength(16 * 1024)) })),
    }),
  ),
  canonicalizedBody: base64(512 * 1024),
});

const bundleSchema: v.GenericSchema<unknown, BundleShape> = v.looseObject({
  mediaType: v.pipe(v.string(), v.maxLength(255)),
  dsseEnvelope: v.nullish(
    v.looseObject({
      payload: v.string(),
      payloadType: v.string(),
      signatures: v.array(v.looseObject({ sig: base64(4096) })),
    }),
  ),
  verificationMaterial: v.looseObject({
    certificate: v.nullish(v.looseObject({ rawBytes: der })),
    publicKey: v.nullish(v.looseObject({ hint: v.optional(v.pipe(v.string(), v.maxLength(1024))) })),
    x509CertificateChain: v.nullish(
      v.looseObject({ certificates: v.pipe(v.array(v.looseObject({ rawBytes: der })), v.maxLength(8)) }),
    ),
    tlogEntries: v.nullish(v.array(logEntry)),
    timestampVerificationData: v.nullish(
      v.looseObject({ rfc3161Timestamps: v.nullish(v.array(v.looseObject({ signedTimestamp: der }))) }),
    ),
  }),
});

/**
 * Parses a bundle as far as that is safe: its size, its nesting, the number and size of its parts, and the one text in
 * it that others use as a pattern.
 * @throws {@link DrayageError} `POLICY`
 */
export function readShape(bytes: Uint8Array): BundleShape {
  if (bytes.length > MAX_BUNDLE_SIZE) {
    throw refusal(
      'BUNDLE_SIZE',
      `the bundle has ${bytes.length} bytes, over the limit of ${MAX_BUNDLE_SIZE}`,
    );
  }
  const result = v.safeParse(bundleSchema, parse(bytes, 'BUNDLE'), { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw refusal('BUNDLE_SHAPE', `the bundle is malformed: ${v.getDotPath(issue) ?? ''}: ${issue.message}`);
  }
  assertCounts(result.output);
  assertCheckpoints(result.output);
  return result.output;
}

/**
 * Parses JSON from outside, strictly and with limited nesting.
 * @throws {@link DrayageError} `POLICY`
 */
export function parse(bytes: Uint8Array, what: 'BUNDLE' | 'STATEMENT'): unknown {
  const name = `the ${what.toLowerCase()}`;
  try {
    return parseJson(bytes, name, { depth: MAX_DEPTH });
  } catch (cause) {
    if (!isDrayageError(cause)) throw cause;
    const kind = cause.code === 'LIMIT' ? 'BUNDLE_DEPTH' : 'BUNDLE_JSON';
    throw refusal(what === 'BUNDLE' ? kind : 'STATEMENT', cause.message, { cause });
  }
}

function assertCounts({ mediaType, dsseEnvelope, verificationMaterial }: BundleShape): void {
  if (!/^application\/vnd\.dev\.sigstore\.bundle(?:\+json;version=0\.[123]|\.v0\.3\+json)$/.test(mediaType)) {
    throw refusal('BUNDLE_VERSION', `the bundle is a ${mediaType}, of an unsupported version`);
  }
  if (!dsseEnvelope) throw refusal('NO_ENVELOPE', 'the bundle contains no DSSE envelope');
  const { tlogEntries, timestampVerificationData } = verificationMaterial;
  assertCount('SIGNATURE_COUNT', dsseEnvelope.signatures, 1, 'signatures');
  assertCount('LOG_ENTRY_COUNT', tlogEntries ?? [], MAX_LOG_ENTRIES, 'log entries');
  const timestamps = timestampVerificationData?.rfc3161Timestamps ?? [];
  assertCount('TIMESTAMP_COUNT', timestamps, MAX_TIMESTAMPS, 'timestamps');
}

function assertCount(reason: RefusalReason, items: readonly unknown[], most: number, what: string): void {
  if (items.length <= most) return;
  throw refusal(reason, `the bundle has ${items.length} ${what}, over the limit of ${most}`);
}

/**
 * The verifier matches a checkpoint's signer against the addresses of trusted logs as a pattern, before any signature
 * is checked. So it must contain nothing that repeats or branches; otherwise one bundle could keep a verifier busy for
 * minutes.
 */
function assertCheckpoints({ verificationMaterial: { tlogEntries } }: BundleShape): void {
  for (const entry of tlogEntries ?? []) {
    const envelope = entry.inclusionProof?.checkpoint?.envelope ?? '';
    for (const [, name = ''] of envelope.matchAll(/\u2014 (\S+)/g)) {
      if (/^[A-Za-z0-9.:/_-]{1,255}$/.test(name)) continue;
      throw refusal(
        'CHECKPOINT',
        `a checkpoint of the log is signed by ${JSON.stringify(name.slice(0, 80))}`,
      );
    }
  }
}
