import { cis, parseReference } from '../index.ts';
import type { Context } from './context.ts';
import type { RegistryCommandOptions } from './registries.ts';
import { credentialSources } from './registries.ts';

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
 * @throws {@link DrayageError} `MALFORMED` for docker's configuration; `USAGE` for an invalid reference
 */
export async function namedHosts(
  { base = [], plainHttp = [] }: HostOptions,
  context: Pick<Context, 'env'>,
): Promise<NamedHost[]> {
  const sources = await credentialSources(context);
  const found = [
    ...base.map((reference) => ({ host: parseReference(reference).domain, by: '--base' })),
    ...plainHttp.map((host) => ({ host, by: '--plain-http' })),
    ...sources.flatMap(({ name, hosts }) => hosts.map((host) => ({ host, by: name }))),
    ...cis.flatMap((ci) =>
      (ci.registries?.(context.env) ?? []).map((host) => ({ host, by: `the variables of ${ci.title}` })),
    ),
    { host: 'docker.io', by: 'default' },
  ];
  return found.filter(({ host }, i) => found.findIndex((other) => other.host === host) === i);
}
