import * as v from 'valibot';
import type { ErrorFacts } from '../errors.ts';
import { DrayageError } from '../errors.ts';
import type { HttpReply } from '../http/reply.ts';
import { readWhole } from '../http/reply.ts';
import { refusalCode } from '../http/refusal-code.ts';
import { parseJson } from '../oci/json.ts';

/** How much of a refusal is read, in bytes, and how much of its text is quoted, in characters. */
const MAX_DOCUMENT = 64 * 1024;
const MAX_TEXT = 300;

const refusalSchema = v.looseObject({
  errors: v.array(
    v.looseObject({ code: v.optional(v.string()), message: v.optional(v.nullable(v.string())) }),
  ),
});

/** An error in a registry's refusal (OCI distribution-spec, error codes). */
export interface RegistryProblem {
  /** `BLOB_UNKNOWN`, `DENIED`, … */
  code: string;
  message: string;
}

/** Reads a registry's reasons for a refusal; empty if it gives none. Reads the reply. */
export async function readProblems(reply: HttpReply): Promise<RegistryProblem[]> {
  const bytes = await readWhole(reply, '', MAX_DOCUMENT).catch(() => Buffer.alloc(0));
  try {
    const { errors } = v.parse(refusalSchema, parseJson(bytes, 'the refusal'));
    return errors.map(({ code, message }) => ({ code: code ?? '', message: message ?? '' }));
  } catch {
    return [];
  }
}

/** What was refused, and by whom. */
export interface Refused {
  /** The address, without secrets. */
  url: string;
  /** The host of the registry. */
  host: string;
  /** Whether a credential was sent. */
  shown: boolean;
  /** Why the credential that there should be cannot be read. */
  unread?: DrayageError | undefined;
  /** Facts to add. */
  facts?: ErrorFacts;
  /** Removes secrets from a text. */
  conceal: (text: string) => string;
}

/**
 * The error for `DIGEST_INVALID`: `UNSUPPORTED` for another algorithm than sha256, which a registry need not know (OCI
 * image-spec, descriptor.md#registered-algorithms).
 */
function wrongDigest(message: string, facts: ErrorFacts): DrayageError {
  const algorithm = facts.digest?.split(':')[0] ?? 'sha256';
  if (algorithm === 'sha256')
    return new DrayageError('DIGEST_MISMATCH', message, { hint: 'the bytes changed on the way', ...facts });
  return new DrayageError('UNSUPPORTED', message, {
    hint: `it may not take digests of ${algorithm}: load the image into a daemon and save it from there, which names it by sha256`,
    ...facts,
  });
}

/**
 * The error for a refusal: `NOT_FOUND` if something does not exist, `DIGEST_MISMATCH` if the registry got other bytes
 * than announced, `UNSUPPORTED` if it refuses a digest of another algorithm than sha256, `DENIED` if another credential
 * may help, `REFUSED` for a request that it does not take, else `UNREACHABLE`, because another time may help.
 */
export function refusalError(
  status: number,
  problems: readonly RegistryProblem[],
  { url, host, shown, unread, facts = {}, conceal }: Refused,
): DrayageError {
  const said = problems.map(({ code, message }) => [code, message].filter((text) => text !== '').join(': '));
  const text = conceal(said.join('; ')).replaceAll(/\s+/g, ' ').slice(0, MAX_TEXT);
  const message = `${url} answers ${status}${text === '' ? '' : ` (${text})`}`;
  const all = { url, status, ...facts };
  const refused = refusalCode(status);
  if (refused === 'NOT_FOUND') return new DrayageError(refused, message, all);
  if (problems.some(({ code }) => code === 'DIGEST_INVALID')) return wrongDigest(message, all);
  const hint = unreadHint(status, unread) ?? hintFor(status, host, shown);
  return new DrayageError(refused, message, { hint, ...all });
}

/** What to do about a credential that cannot be read, if that is why a request was denied. */
export function unreadHint(status: number, unread: DrayageError | undefined): string | undefined {
  if (unread === undefined || refusalCode(status) !== 'DENIED') return undefined;
  return unread.hint === undefined ? unread.message : `${unread.message}: ${unread.hint}`;
}

function hintFor(status: number, host: string, shown: boolean): string | undefined {
  if (status === 401) {
    return shown
      ? `it does not accept the credentials: docker login ${host}`
      : `it requires credentials: docker login ${host}, or CI_REGISTRY_USER and CI_REGISTRY_PASSWORD`;
  }
  if (status === 403) return 'the credentials may not do that there';
  if (status === 413) return 'the registry, or a proxy before it, takes no request of this size';
  return undefined;
}
