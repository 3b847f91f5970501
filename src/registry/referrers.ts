import type { ContentOptions } from '../content/source.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { digestAlgorithm, digestHex } from '../oci/digest.ts';
import { noteUnread } from '../listing/unread.ts';
import type { LayoutEntries, UnreadEntry } from '../oci/image-index.ts';
import { buildIndex, EMPTY_INDEX, parseEntries } from '../oci/image-index.ts';
import type { Document } from '../oci/manifest.ts';
import { OCI_INDEX } from '../oci/media-types.ts';
import { count } from '../text/count.ts';
import { putManifest, readManifest } from './manifests.ts';
import { readList } from './read-list.ts';
import type { RepositoryAddress } from './repository-address.ts';

const MAX_REFERRERS = 10_000;

/** An entry of a list of referrers. */
type ListedEntry = { read: Descriptor } | { unread: UnreadEntry };

/**
 * The tag under which a registry without the referrers API lists what refers to content (OCI distribution-spec,
 * referrers tag schema): `sha256-<hex>`, for a longer digest its first 64 digits.
 */
function referrersTag(subject: Digest): string {
  return `${digestAlgorithm(subject).slice(0, 32)}-${digestHex(subject).slice(0, 64)}`;
}

/**
 * What refers to content by `subject` (OCI distribution-spec, listing referrers): by the API, or if the registry has
 * none, by the tag that replaces it. Entries that cannot be read are skipped, with one warning.
 * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `MALFORMED`, `LIMIT`, `UNSAFE`
 */
export async function listReferrers(
  repository: RepositoryAddress,
  subject: Digest,
  options: ContentOptions = {},
): Promise<Descriptor[]> {
  const { api, name } = repository;
  const { manifests, unread } =
    (await byApi(repository, subject, options)) ?? (await byTag(repository, subject, options));
  const [first, ...others] = unread;
  const more = others.length === 0 ? '' : `; so are ${count(others.length, 'more entry', 'more entries')}`;
  if (unread.length > 0)
    api.warn(`the referrers of ${name}@${subject}: ${noteUnread(first, 'the list')}${more}`);
  return manifests;
}

/**
 * Stores a manifest that refers to other content, and lists it there.
 * @param listed its descriptor as lists of referrers have it, with artifact type and annotations
 */
export async function putReferrer(
  repository: RepositoryAddress,
  document: Document,
  subject: Digest,
  listed: Descriptor,
  options: ContentOptions = {},
): Promise<void> {
  const processed = await putManifest(repository, document, document.descriptor.digest, options);
  if (processed !== undefined) return;
  // Only a client that gets no `OCI-Subject` has to update the list itself.
  const { manifests, unread } = await byTag(repository, subject, options);
  if (manifests.some(({ digest }) => digest === listed.digest)) return;
  const index = buildIndex([...manifests, listed], unread);
  await putManifest(repository, index, referrersTag(subject), options);
}

async function byApi(
  repository: RepositoryAddress,
  subject: Digest,
  { signal }: ContentOptions,
): Promise<LayoutEntries | undefined> {
  const { path, name } = repository;
  const what = `the referrers of ${name}@${subject}`;
  const found = await readList(repository, `${path}/referrers/${subject}`, {
    what,
    headers: { accept: OCI_INDEX },
    // Some registries that do not know the path treat it as another one, or send a web page.
    isNone: (reply) =>
      (reply.status === 200 && reply.header('content-type')?.startsWith(OCI_INDEX) !== true) ||
      [400, 404, 405].includes(reply.status),
    parse: (bytes) => itemsOf(parseEntries(bytes, what)),
    max: MAX_REFERRERS,
    signal,
  });
  return (
    found && {
      manifests: found.flatMap((one) => ('read' in one ? [one.read] : [])),
      unread: found.flatMap((one) => ('unread' in one ? [one.unread] : [])),
    }
  );
}

/** All entries of a page as items of one list: its end and its limit depend on all of them. */
function itemsOf({ manifests, unread }: LayoutEntries): ListedEntry[] {
  return [...manifests.map((read) => ({ read })), ...unread.map((entry) => ({ unread: entry }))];
}

async function byTag(
  repository: RepositoryAddress,
  subject: Digest,
  options: ContentOptions,
): Promise<LayoutEntries> {
  const tag = referrersTag(subject);
  const document = await readManifest(repository, tag, options);
  if (document?.descriptor.mediaType !== OCI_INDEX) return EMPTY_INDEX;
  return parseEntries(document.bytes, `${repository.name}:${tag}`);
}
