import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isAbsent } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import { readIndex, readManifest } from './documents.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Index } from '../oci/image-index.ts';
import type { Manifest, ParsedDocument } from '../oci/manifest.ts';
import { isIndexType, isManifestType } from '../oci/media-types.ts';

/** How deep indexes may be nested. */
const MAX_DEPTH = 4;
/** How many documents one root may lead to. */
const MAX_DOCUMENTS = 10_000;

/** A step of a {@link walk}. */
export type WalkNode =
  | { kind: 'index'; document: ParsedDocument<Index> }
  | { kind: 'manifest'; document: ParsedDocument<Manifest> }
  /** A config, a layer, or any other blob that a manifest names; `parent` is that manifest. */
  | { kind: 'blob'; descriptor: Descriptor; parent: ParsedDocument<Manifest> }
  /** An index's child whose content is absent: indexes may be sparse. */
  | { kind: 'absent'; descriptor: Descriptor };

/**
 * Walks everything that a root leads to, each digest once, parents before children. Documents are read and checked, blobs
 * only named.
 * @throws {@link DrayageError} `MALFORMED`, `LIMIT`, and whatever `source` says of damaged content
 */
export async function* walk(
  source: ContentSource,
  root: Descriptor,
  options: ContentOptions = {},
): AsyncGenerator<WalkNode, void, undefined> {
  const seen = new Set<Digest>();
  const queue: { descriptor: Descriptor; depth: number }[] = [{ descriptor: root, depth: 0 }];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { descriptor, depth } = next;
    if (seen.has(descriptor.digest)) continue;
    seen.add(descriptor.digest);
    assertBounds(descriptor, depth, seen.size);
    if (depth > 0 && (await isAbsent(source, descriptor, options))) {
      yield { kind: 'absent', descriptor };
    } else if (isIndexType(descriptor.mediaType)) {
      const document = await readIndex(source, descriptor, options);
      yield { kind: 'index', document };
      queue.push(...document.value.manifests.map((child) => ({ descriptor: child, depth: depth + 1 })));
    } else if (isManifestType(descriptor.mediaType)) {
      const document = await readManifest(source, descriptor, options);
      yield { kind: 'manifest', document };
      for (const blob of [document.value.config, ...document.value.layers]) {
        if (seen.has(blob.digest)) continue;
        seen.add(blob.digest);
        yield { kind: 'blob', descriptor: blob, parent: document };
      }
    } else {
      throw new DrayageError(
        'UNSUPPORTED',
        `${descriptor.digest} is a ${descriptor.mediaType}, not an image`,
        {
          digest: descriptor.digest,
          actual: descriptor.mediaType,
        },
      );
    }
  }
}

function assertBounds(descriptor: Descriptor, depth: number, count: number): void {
  if (depth <= MAX_DEPTH && count <= MAX_DOCUMENTS) return;
  const what =
    depth > MAX_DEPTH ? `nested deeper than ${MAX_DEPTH} indexes` : `more than ${MAX_DOCUMENTS} documents`;
  throw new DrayageError('LIMIT', `image index refused: ${what}`, { digest: descriptor.digest });
}
