import type { ImagePlace, Layout } from '../index.ts';
import type { CacheOptions } from './cache.ts';
import type { GitLabConnectionOptions } from './gitlab.ts';
import type { JobOptions } from './job-query.ts';

/** The options for the source of images. */
export interface SourceOptions extends JobOptions, CacheOptions, GitLabConnectionOptions {}

/** Places to read images from, open until they are closed. */
export interface Sources extends AsyncDisposable {
  places: ImagePlace[];
  /** Those on disk, where the runner may have restored them. */
  restored: Layout[];
  /** The folder below `.drayage` for a job's images; undefined for layouts on disk. */
  home: string | undefined;
}
