import type { ContentOptions, ContentSource } from '../content/source.ts';
import type { OpenRepository } from './base-image.ts';
import type { JobPlace } from './base-jobs.ts';

/** The base of an image, as a layout names it. Nobody vouches for it: its content is checked. */
export interface BaseReference {
  /** Full name: `docker.io/library/node:22`. For a job's artifact, the job in words. */
  name: string;
  /** The artifact that has the layers, if it is one. */
  job?: JobPlace | undefined;
  /** The digest of its manifest or index when the image was saved. */
  digest?: string | undefined;
}

/**
 * Opens the place where the layers of a base are read. They are read twice, so the place should keep them.
 * @returns undefined if it opens no base of this kind
 * @throws {@link DrayageError} if it cannot be reached, or must not be
 */
export type OpenBase = (base: BaseReference, options: ContentOptions) => Promise<ContentSource | undefined>;

/** Opens the layout in the artifact of an earlier job. */
export type OpenJob = (job: JobPlace, options: ContentOptions) => Promise<ContentSource>;

/** What opens the two kinds of bases. */
export interface BaseOpeners {
  /** Opens registries of base images. Default: no base is read there. */
  openRepository?: OpenRepository | undefined;
  /** Opens the artifact of an earlier job. Default: none is read. */
  openJob?: OpenJob | undefined;
}

/** Opens bases of both kinds; undefined if none may be opened. */
export function baseOpener({ openRepository, openJob }: BaseOpeners): OpenBase | undefined {
  if (openRepository === undefined && openJob === undefined) return undefined;
  return async ({ name, job }, options) =>
    job === undefined ? openRepository?.(name, options) : openJob?.(job, options);
}
