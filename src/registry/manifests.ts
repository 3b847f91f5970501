import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import type { HttpReply } from '../http/reply.ts';
import { drop, readWhole } from '../http/reply.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { digestAlgorithm, digestOf, isDigest } from '../oci/digest.ts';
import type { Document } from '../oci/manifest.ts';
import { DOCKER_MANIFEST, DOCKER_MANIFEST_LIST, OCI_INDEX, OCI_MANIFEST } from '../oci/media-types.ts';
import { statedMediaType } from '../oci/parse.ts';
import { digestMismatch } from '../stream/verified.ts';
import type { RepositoryAddress } from './repository-address.ts';
import { repositoryScope } from './repository-address.ts';

const ACCEPT = [OCI_INDEX, OCI_MANIFEST, DOCKER_MANIFEST_LIST, DOCKER_MANIFEST].join(', ');
const IMMOVABLE = /\bimmutab|\boverwrit|already exists/i;

/**
 * Describes the manifest of a tag or a digest.
 * @returns undefined if there is no such manifest
 * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `DIGEST_MISMATCH`
 */
export async function describeManifest(
  repository: RepositoryAddress,
  reference: string,
  options: ContentOptions = {},
): Promise<Descriptor | undefined> {
  const reply = await request(repository, reference, 'HEAD', options);
  const found = reply.status === 200 ? described(reply) : undefined;
  drop(reply);
  if (reply.status === 404) return undefined;
  // Not every registry sends all headers in a reply without a body.
  return found ?? (await readManifest(repository, reference, options))?.descriptor;
}

/**
 * Reads a manifest or an index by tag or digest; checks a digest.
 * @returns undefined if there is none
 * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `DIGEST_MISMATCH`, `LIMIT`
 */
export async function readManifest(
  repository: RepositoryAddress,
  reference: string,
  options: ContentOptions = {},
): Promise<Document | undefined> {
  const { api, name } = repository;
  const what = `${name}${isDigest(reference) ? '@' : ':'}${reference}`;
  return api.retry.run(async () => {
    const reply = await request(repository, reference, 'GET', options);
    if (reply.status === 404) {
      drop(reply);
      return undefined;
    }
    if (reply.status !== 200) throw await api.refusal(reply, what);
    const promised = isDigest(reference) ? reference : digestIn(reply);
    const bytes = await readWhole(reply, what);
    const digest = digestOf(bytes, promised && digestAlgorithm(promised));
    if (promised !== undefined && promised !== digest) {
      throw digestMismatch({ digest: promised, size: bytes.length }, digest, what);
    }
    const mediaType = typeOf(reply) ?? statedMediaType(bytes) ?? OCI_MANIFEST;
    return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
  }, options.signal);
}

/**
 * Stores a manifest or an index under a tag, or under its digest.
 * @returns the subject under which the registry has listed it; undefined if it has none, or the registry does not list
 * referrers
 * @throws {@link DrayageError} `DIGEST_MISMATCH`, `UNREACHABLE`, `TIMEOUT`; `INCOMPLETE` if the registry lacks content
 * that it names; `UNSAFE` for a tag that the registry does not let move
 */
export async function putManifest(
  repository: RepositoryAddress,
  { descriptor, bytes }: Document,
  reference: string,
  { signal }: ContentOptions = {},
): Promise<string | undefined> {
  const { api, path, name } = repository;
  const reply = await api.ask({
    method: 'PUT',
    to: `${path}/manifests/${reference}`,
    scopes: [repositoryScope(repository, 'pull', 'push')],
    headers: { 'content-type': descriptor.mediaType },
    body: async () => bytes,
    // The registry first checks everything that the manifest names.
    isLong: true,
    signal,
  });
  const what = `${name}${isDigest(reference) ? '@' : ':'}${reference}`;
  if (reply.status < 200 || reply.status > 299) {
    const refused = await api.refusal(reply, what, isDigest(reference) ? { digest: reference } : {});
    const names = [what, name, `${path}:${reference}`, path, reference];
    throw (isDigest(reference) ? undefined : immovable(refused, names)) ?? incomplete(refused, what);
  }
  const stored = digestIn(reply);
  drop(reply);
  if (stored !== undefined && stored !== descriptor.digest) throw digestMismatch(descriptor, stored, what);
  return reply.header('oci-subject');
}

/**
 * Deletes a manifest by its digest, or a tag.
 * @returns whether it was there
 * @throws {@link DrayageError} `UNSUPPORTED` if the registry does not delete this; `UNREACHABLE`, `TIMEOUT`
 */
export async function deleteManifest(
  repository: RepositoryAddress,
  reference: string,
  { signal }: ContentOptions = {},
): Promise<boolean> {
  const { api, path, name } = repository;
  const scopes = [repositoryScope(repository, 'pull', 'delete')];
  const reply = await api.ask({ method: 'DELETE', to: `${path}/manifests/${reference}`, scopes, signal });
  const { status } = reply;
  if (status === 404 || (status >= 200 && status <= 299)) {
    drop(reply);
    return status !== 404;
  }
  const refused = await api.refusal(reply, `${name}: deleting ${reference}`);
  // Registries that delete only by digest parse the tag as a digest of an unknown form.
  if (![400, 405, 501].includes(status) && refused.code !== 'DIGEST_MISMATCH') throw refused;
  throw new DrayageError('UNSUPPORTED', refused.message, { ...refused.facts });
}

async function request(
  repository: RepositoryAddress,
  reference: string,
  method: 'GET' | 'HEAD',
  { signal }: ContentOptions,
): Promise<HttpReply> {
  signal?.throwIfAborted();
  const { api, path } = repository;
  const scopes = [repositoryScope(repository, 'pull')];
  const to = `${path}/manifests/${reference}`;
  const asked = { method, to, scopes, headers: { accept: ACCEPT }, signal };
  return method === 'HEAD' ? api.ask(asked) : api.send(asked);
}

function described(reply: HttpReply): Descriptor | undefined {
  const [mediaType, digest, size] = [typeOf(reply), digestIn(reply), reply.header('content-length')];
  if (mediaType === undefined || digest === undefined || size === undefined) return undefined;
  return { mediaType, digest, size: Number(size) };
}

function digestIn(reply: HttpReply): Digest | undefined {
  const text = reply.header('docker-content-digest');
  return text !== undefined && isDigest(text) ? text : undefined;
}

function typeOf(reply: HttpReply): string | undefined {
  const type = reply.header('content-type')?.split(';')[0]?.trim();
  return type !== undefined && ACCEPT.split(', ').includes(type) ? type : undefined;
}

/**
 * Whether a registry says that a tag must not move: a retry does not change that.
 * @param names of the tag and its repository, which may sound like a refusal
 */
function immovable(refused: DrayageError, names: readonly string[]): DrayageError | undefined {
  const { status = 0 } = refused.facts;
  const words = refused.message.split(/\s+/);
  const said = words.filter((word) => !names.includes(word.replaceAll(/^\W+|\W+$/g, ''))).join(' ');
  if (![400, 403, 409, 412].includes(status) || !IMMOVABLE.test(said)) return undefined;
  return new DrayageError('UNSAFE', refused.message, {
    ...refused.facts,
    hint: 'the registry does not let this tag move: choose another one, or change its rule there',
  });
}

function incomplete(refused: DrayageError, what: string): DrayageError {
  if (!/\b(?:MANIFEST_)?BLOB_UNKNOWN\b|\bMANIFEST_UNKNOWN\b/.test(refused.message)) return refused;
  return new DrayageError('INCOMPLETE', `${what}: the registry lacks content that it names`, {
    ...refused.facts,
    cause: refused,
    hint: 'if only some platforms of the image are here, promote single platforms to such a registry',
  });
}
