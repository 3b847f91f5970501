import { nameOf } from '../content/image-index.ts';
import type { Readable } from 'node:stream';
import type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
import { isRemote } from '../content/source.ts';
import type { ErrorCode, ErrorFacts } from '../errors.ts';
import { DrayageError, isDamage, isDrayageError } from '../errors.ts';
import { compressedAsStated } from './as-stated.ts';
import type { JobPlace } from './base-jobs.ts';
import { baseJobsOf, describeJob } from './base-jobs.ts';
import type { Image } from './image.ts';
import type { BaseReference, OpenBase } from './open-base.ts';
import { prove } from './prove.ts';
import { isProven } from './proven.ts';
import { derived } from '../stream/derived.ts';
import { openProving } from './prove-passing.ts';
import { BASE_DIGEST, BASE_NAME } from '../oci/annotations.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { omittedBlobs } from './omitted-layers.ts';
import { isNonDistributable } from '../oci/media-types.ts';
import type { OnProgress } from '../progress.ts';
import type { StoredImage } from '../content/image-index.ts';

/** Options of {@link omittedContent}. */
export interface OmittedContentOptions extends ContentOptions {
  /** Further places that may have omitted layers; they are asked first. */
  others?: readonly ContentSource[] | undefined;
  /** Default: only these places are read. */
  openBase?: OpenBase | undefined;
  onProgress?: OnProgress | undefined;
}

/** Failures of the cache, and exceeded limits: another base cannot avoid them. */
const OF_THIS_MACHINE: ReadonlySet<ErrorCode> = new Set(['LINK', 'UNSAFE', 'IO', 'LIMIT']);

/** An image that was read, and the content of the place that holds it. */
export interface ReadImage {
  image: StoredImage;
  read: readonly Image[];
  content: ContentSource;
}

/** The blob of an omitted layer, and all that images claim it to contain. */
interface OmittedLayer {
  blob: Descriptor;
  diffIds: Set<Digest>;
}

/** The layers that a place may lack because its image omits them, by their blobs. */
export function omittedLayersOf({ image, read }: ReadImage): Map<Digest, OmittedLayer> {
  const found = new Map<Digest, OmittedLayer>();
  for (const { manifest, layers } of read) {
    const digests = omittedBlobs(manifest.value.layers, image);
    for (const { blob, diffId } of layers) {
      if (!digests.has(blob.digest)) continue;
      const { diffIds } = found.get(blob.digest) ?? { diffIds: new Set() };
      found.set(blob.digest, { blob, diffIds: diffIds.add(diffId) });
    }
  }
  return found;
}

/**
 * The content of an image, including the layers that its place omits. These are read from elsewhere on request, and
 * proven first unless the reader proves them. All of them count as present; opening one reports a failure.
 * @throws {@link DrayageError} `MALFORMED`; on opening an omitted layer `NOT_FOUND` if no place is known to have it,
 * and naming the base `UNREACHABLE` if that cannot deliver it, `POLICY` if it must not be asked
 */
export function omittedContent(placed: ReadImage, options: OmittedContentOptions = {}): ContentSource {
  const omitted = omittedLayersOf(placed);
  const mayLack = placed.read.some(({ manifest }) =>
    manifest.value.layers.some(({ mediaType }) => isNonDistributable(mediaType)),
  );
  return omitted.size > 0 || mayLack ? new OmittedContent(placed, omitted, options) : placed.content;
}

class OmittedContent implements ContentSource {
  readonly #placed: ReadImage;
  readonly #omitted: ReadonlyMap<Digest, OmittedLayer>;
  readonly #options: OmittedContentOptions;
  /** The places of blobs in the artifacts of jobs. */
  readonly #jobs: ReadonlyMap<Digest, JobPlace>;
  /** The bases that were opened. Two layouts of one job are two bases with one name. */
  readonly #bases = new Map<string, Promise<ContentSource | undefined>>();
  readonly #told = new Set<string>();

  constructor(placed: ReadImage, omitted: ReadonlyMap<Digest, OmittedLayer>, options: OmittedContentOptions) {
    this.#placed = placed;
    this.#omitted = omitted;
    this.#options = options;
    this.#jobs = baseJobsOf(placed.image);
  }

  async has(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    return this.#omitted.has(descriptor.digest) || this.#placed.content.has(descriptor, options);
  }

  async open(descriptor: Descriptor, options: OpenOptions = {}): Promise<Readable> {
    const { content } = this.#placed;
    const layer = this.#omitted.get(descriptor.digest);
    if (await content.has(descriptor, options)) return content.open(descriptor, options);
    if (layer === undefined) {
      const remote = this.#nonDistributable(descriptor.digest);
      if (remote !== undefined) throw this.#elsewhere(remote);
      return content.open(descriptor, options);
    }
    for (const other of this.#options.others ?? [])
      if (await other.has(descriptor, options)) return openProven(other, layer, options);
    return this.#openBase(layer, options);
  }

  async isRemote(descriptor: Descriptor, options?: ContentOptions): Promise<boolean> {
    for (const source of [this.#placed.content, ...(this.#options.others ?? [])])
      if (await source.has(descriptor, options)) return isRemote(source, descriptor, options);
    return this.#omitted.has(descriptor.digest);
  }

  position(descriptor: Descriptor): number | undefined {
    return this.#placed.content.position?.(descriptor);
  }

  async #openBase(layer: OmittedLayer, options: OpenOptions): Promise<Readable> {
    const { openBase, onProgress, signal } = this.#options;
    const { blob } = layer;
    const reference = this.#reference(blob.digest);
    if (openBase === undefined || reference === undefined) throw this.#nowhere(blob, reference);
    const name = fullName(reference);
    try {
      const key = JSON.stringify(reference);
      const opening = this.#bases.get(key) ?? openBase(reference, { signal });
      this.#bases.set(key, opening);
      const base = await opening;
      if (base === undefined) throw this.#nowhere(blob, reference);
      const bytes = await openProven(base, layer, options);
      const isWhole = (options.offset ?? 0) === 0;
      const checked = reference.job !== undefined && isWhole ? compressedAsStated(bytes, blob) : bytes;
      const message = `${nameOf(this.#placed.image)}: omitted layers are read from its base ${name}`;
      if (!this.#told.has(name)) onProgress?.({ kind: 'note', message });
      this.#told.add(name);
      return derived(bytes, this.#named(checked, blob, reference));
    } catch (error) {
      throw this.#unreachable(error, blob, reference);
    }
  }

  /** Failures midway name the base as well. */
  async *#named(
    bytes: AsyncIterable<Uint8Array>,
    blob: Descriptor,
    reference: BaseReference,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* bytes;
    } catch (error) {
      throw this.#unreachable(error, blob, reference);
    }
  }

  #reference(blob: Digest): BaseReference | undefined {
    const { image } = this.#placed;
    const job = this.#jobs.get(blob);
    if (job !== undefined) return { name: describeJob(job), job };
    const { [BASE_NAME]: name, [BASE_DIGEST]: digest } = image.annotations;
    return name === undefined ? undefined : { name, digest };
  }

  #nowhere({ digest }: Descriptor, reference: BaseReference | undefined): DrayageError {
    const from = reference === undefined ? '' : ` (it comes from ${fullName(reference)})`;
    return new DrayageError(
      'NOT_FOUND',
      `layer ${digest} of ${nameOf(this.#placed.image)} is omitted from its layout, and no other layout has it${from}`,
      {
        reason: 'BASE_UNOPENED',
        hint: 'also name the layout that the image was saved against, or load its base first',
      },
    );
  }

  #nonDistributable(digest: Digest): Descriptor | undefined {
    const layers = this.#placed.read.flatMap(({ manifest }) => manifest.value.layers);
    return layers.find((layer) => layer.digest === digest && isNonDistributable(layer.mediaType));
  }

  /** The image's author wanted it to be read elsewhere. */
  #elsewhere({ digest, urls = [] }: Descriptor): DrayageError {
    const where = urls.length > 0 ? `: it is at ${urls.join(', ')}` : '';
    return new DrayageError(
      'NOT_FOUND',
      `layer ${digest} of ${nameOf(this.#placed.image)} is not distributable and absent${where}`,
      { digest, hint: 'build the image with distributable layers, or load that layer into the daemon first' },
    );
  }

  /**
   * Damage, and failures of this machine, are reported as such; any other failure means that the base did not deliver, or
   * must not be asked.
   */
  #unreachable(error: unknown, { digest }: Descriptor, reference: BaseReference): unknown {
    if (!isDrayageError(error) || error.facts.reason === 'BASE_UNOPENED') return error;
    if (OF_THIS_MACHINE.has(error.code)) return error;
    const isDamaged: boolean = isDamage(error);
    if (isDamaged) return reference.job === undefined ? error : damageIn(reference, error);
    const isForbidden = error.facts.reason === 'UNNAMED_HOST';
    const isDenied = isDrayageError(error, 'DENIED', 'REFUSED');
    return new DrayageError(
      isForbidden || isDenied ? error.code : 'UNREACHABLE',
      `layer ${digest} of ${nameOf(this.#placed.image)} is omitted from its layout, and cannot be read from its base ${fullName(reference)}: ${error.message}`,
      {
        ...error.facts,
        digest,
        cause: error,
        // A refusal of GitLab names the setting that it depends on.
        ...(!isForbidden && !(isDenied && reference.job !== undefined) && adviceFor(reference)),
      },
    );
  }
}

/** What helps when a base job does not. */
const AGAIN = 'run the job that saved the image again, without this base';

/** Damage in the artifact of a base job. That artifact stays as it is, so no retry helps. */
function damageIn({ name }: BaseReference, error: DrayageError): DrayageError {
  const facts = { ...error.facts, cause: error, reason: 'BASE_JOB_DAMAGED', hint: AGAIN } as const;
  return new DrayageError(
    error.code,
    `${error.message} (omitted from its layout, and read from its base ${name})`,
    facts,
  );
}

function adviceFor({ name, job }: BaseReference): Pick<ErrorFacts, 'reason' | 'hint'> {
  if (job !== undefined)
    return {
      reason: 'BASE_JOB_UNREACHABLE',
      hint: `if project ${job.project} is not this one, its job token allowlist must name this one; otherwise ${AGAIN}`,
    };
  return { reason: 'BASE_UNREACHABLE', hint: `make sure that ${name} exists and that this job may pull it` };
}

/** Opens the blob of a layer that is proven, or that the reader will prove. */
async function openProven(
  source: ContentSource,
  { blob, diffIds }: OmittedLayer,
  options: OpenOptions,
): Promise<Readable> {
  const unproven = [...diffIds].filter((diffId) => !isProven({ diffId, blob }));
  const isChecked = options.diffIdChecked === true || unproven.length === 0;
  const isWhole = (options.offset ?? 0) === 0;
  if (options.once === true && isWhole && !isChecked) return openProving(source, blob, unproven, options);
  if (!isChecked)
    for (const diffId of unproven) await prove(source, { diffId, blob }, { signal: options.signal });
  return source.open(blob, options);
}

function fullName({ name, digest }: BaseReference): string {
  return digest === undefined ? name : `${name}@${digest}`;
}
