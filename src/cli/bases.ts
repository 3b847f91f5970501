import type { ContentSource, OpenBase, OpenRepository } from '../index.ts';
import { DrayageError, localFirst } from '../index.ts';
import { lazyArtifacts } from './artifacts.ts';
import type { CacheOptions } from './cache.ts';
import { openCache } from './cache.ts';
import type { Context } from './context.ts';
import { lazily } from './lazily.ts';
import type { RegistryCommandOptions } from './registries.ts';
import type { HostOptions } from './registry-hosts.ts';
import { onlyNamedHosts } from './registry-hosts.ts';

/** The options for reading base images. */
export interface BaseOptions extends CacheOptions, RegistryCommandOptions {
  offline?: boolean;
}

/** Opens repositories. The first one determines how to reach registries. */
export interface Repositories extends AsyncDisposable {
  open: OpenRepository;
}

/** Registries of base images: those that this job names. None is asked before it is needed. */
export function lazyRepositories(options: HostOptions, context: Context): Repositories {
  const opened = lazily(async () => (await import('./registries.ts')).openRegistries(options, context));
  const open: OpenRepository = async (reference) => (await opened.get()).registries.repository(reference);
  return {
    open: onlyNamedHosts(open, options, context),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** Opens the bases from which omitted layers are read. */
export interface Bases extends AsyncDisposable {
  open: OpenBase;
}

/** The bases of images: from the cache, then from registries and artifacts, unless `--offline` forbids that. */
export function openBases(options: BaseOptions, context: Context): Bases {
  const repositories = lazyRepositories(options, context);
  const artifacts = lazyArtifacts(options, context);
  const cache = lazily(async () => openCache(options, context));
  const openRemote: OpenBase = async ({ name, job }, own) => {
    if (options.offline === true) return refusing();
    return job === undefined ? repositories.open(name, own) : artifacts.openJob(job, own);
  };
  return {
    open: async (base, own) => {
      const { cache: kept } = await cache.get();
      const remote = await openRemote(base, own);
      return remote && localFirst([kept], kept.filledFrom(remote));
    },
    [Symbol.asyncDispose]: async () => {
      await repositories[Symbol.asyncDispose]();
      await artifacts[Symbol.asyncDispose]();
      await cache[Symbol.asyncDispose]();
    },
  };
}

function refusing(): ContentSource {
  return {
    has: async () => false,
    open: async () => {
      throw new DrayageError('UNREACHABLE', '--offline forbids asking for it');
    },
  };
}
