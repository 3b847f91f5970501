import type { ContentOptions, ContentSource } from '../content/source.ts';
import { isDrayageError } from '../errors.ts';
import type { JobLayout } from './base-job.ts';
import { BaseJob } from './base-job.ts';
import { BaseImage } from './base-image.ts';
import { contentsOf } from './contents.ts';
import type { Layer } from './layer.ts';
import { Ledger } from './ledger.ts';
import type { ReadImage } from './omitted-content.ts';
import { omittedContent, omittedLayersOf } from './omitted-content.ts';
import type { BaseOpeners } from './open-base.ts';
import { baseOpener } from './open-base.ts';
import { proveAll } from './prove.ts';
import { isProven } from './proven.ts';
import { configPlatform } from '../oci/config.ts';
import { statedLayers } from './stated-layers.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isNonDistributable } from '../oci/media-types.ts';
import type { OnProgress } from '../progress.ts';

/** Options of {@link proveContents}. */
export interface ProveContentsOptions extends ContentOptions, BaseOpeners {
  /** Further places that may have omitted layers; they are asked first. */
  others?: readonly ContentSource[] | undefined;
  /** Trusted layouts of earlier jobs: omitted layers that they state are not read. Default: none. */
  baseJobs?: readonly JobLayout[] | undefined;
  /** Trusted base images, by reference: omitted layers that they state are not read. Default: none. */
  bases?: readonly string[] | undefined;
  /** Proves only layers in these blobs. Default: all. */
  only?: ReadonlySet<Digest> | undefined;
  onProgress?: OnProgress | undefined;
}

/**
 * Proves the layers of an image that this process has not proven: those of its place, and the omitted ones, except
 * layers that a user-named base states. Non-distributable layers may be absent.
 * @returns the layers that were not read: those that a base states, and absent non-distributable ones
 * @throws {@link DrayageError} `DIGEST_MISMATCH`, also if a blob is not the layer that it stands for; `NOT_FOUND` if no
 * place has an omitted layer; `UNREACHABLE` if its base cannot deliver it; `SIZE_MISMATCH`, `MALFORMED`, `TRUNCATED`
 */
export async function proveContents(
  placed: ReadImage & { root: Descriptor },
  options: ProveContentsOptions = {},
): Promise<Layer[]> {
  const { others, only, signal, onProgress } = options;
  const omitted = omittedLayersOf(placed);
  const [here, elsewhere, nowhere]: [Layer[], Layer[], Layer[]] = [[], [], []];
  const contents = await contentsOf(placed.content, placed.root, { signal });
  for (const layer of await statedLayers(placed.content, contents, { signal })) {
    const { blob } = layer;
    if (isProven(layer) || only?.has(blob.digest) === false) continue;
    if (await placed.content.has(blob, { signal })) here.push(layer);
    else if (omitted.has(blob.digest)) elsewhere.push(layer);
    else if (isNonDistributable(blob.mediaType)) nowhere.push(layer);
    else here.push(layer);
  }
  const ledger = new Ledger();
  if (elsewhere.length > 0) await stateBases(placed, ledger, options);
  const isStated = (layer: Layer): boolean => ledger.standing(layer) === 'stated';
  const unstated = elsewhere.filter((layer) => !isStated(layer));
  const source = omittedContent(placed, { others, openBase: baseOpener(options), signal, onProgress });
  await proveAll(source, [...here, ...unstated], { signal });
  return [...elsewhere.filter(isStated), ...nowhere];
}

/** Adds the statements of the bases that the user named. A base without the platform states nothing for it. */
async function stateBases(
  { read }: ReadImage,
  ledger: Ledger,
  { bases = [], baseJobs = [], openRepository, signal }: ProveContentsOptions,
): Promise<void> {
  for (const layout of baseJobs) await BaseJob.open(layout, ledger, { signal });
  if (openRepository === undefined) return;
  for (const { config } of read) {
    for (const reference of bases) {
      try {
        const platform = configPlatform(config.value);
        ledger.state((await BaseImage.resolve(reference, platform, openRepository, { signal })).layers);
      } catch (error) {
        if (!isDrayageError(error, 'NOT_FOUND')) throw error;
      }
    }
  }
}
