import type { BaseRepository, OpenRepository } from '../index.ts';
import { cis, DrayageError, parseReference } from '../index.ts';
import type { Context } from './context.ts';
import type { RegistryCommandOptions } from './registries.ts';

/** A registry that this job has named. */
export interface NamedHost {
  /** As references name it. */
  host: string;
  /** What names it. */
  by: string;
}

/** Options that name registries. */
export interface HostOptions extends RegistryCommandOptions {
  base?: readonly string[] | undefined;
}

/**
 * The registries that may be asked for base images: those that this job or this machine names. A name in an image or a
 * layout is no reason to ask its host.
 * @throws {@link DrayageError} `USAGE` for an invalid reference
 */
export async function namedHosts(
  { base = [], plainHttp = [], registries = [] }: HostOptions,
  context: Pick<Context, 'env'>,
): Promise<NamedHost[]> {
  const { credentialSources } = await import('./registries.ts');
  const sources = await credentialSources(context);
  const found = [
    ...base.map((reference) => ({ host: parseReference(reference).domain, by: '--base' })),
    ...registries.map((host) => ({ host, by: '--registries' })),
    ...plainHttp.map((host) => ({ host, by: '--plain-http' })),
    ...sources.flatMap(({ name, hosts }) => hosts.map((host) => ({ host, by: name }))),
    ...cis.flatMap((ci) =>
      (ci.registries?.(context.env) ?? []).map((host) => ({ host, by: `the variables of ${ci.title}` })),
    ),
    { host: 'docker.io', by: 'default' },
  ];
  return found.filter(({ host }, i) => found.findIndex((other) => other.host === host) === i);
}

/**
 * Opens repositories of base images at the hosts that this job names. At any other host it opens one that refuses every
 * request, so that content from elsewhere still counts.
 */
export function onlyNamedHosts(
  open: OpenRepository,
  options: HostOptions,
  context: Pick<Context, 'env'>,
): OpenRepository {
  let named: Promise<NamedHost[]> | undefined;
  return async (reference, openOptions) => {
    const { domain } = parseReference(reference);
    named ??= namedHosts(options, context);
    const isNamed = (await named).some(({ host }) => host === domain);
    return isNamed ? open(reference, openOptions) : refusing(domain);
  };
}

function refusing(host: string): BaseRepository {
  const refuse = async (): Promise<never> => {
    throw new DrayageError('POLICY', `${host} is not asked, because this job does not name it`, {
      reason: 'UNNAMED_HOST',
      name: host,
      hint: `if it may be asked: DRAYAGE_REGISTRIES=${host} (or --registries ${host})`,
    });
  };
  return { has: refuse, open: refuse, resolve: refuse };
}
