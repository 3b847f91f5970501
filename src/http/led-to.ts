import { DrayageError } from '../errors.ts';
import { withoutSecrets } from './address.ts';
import type { Lookup } from './nearness.ts';
import { farthestOfHost, limitHost, mayBeAt, nearnessOfHost } from './nearness.ts';

/** Where a server may lead to: by a redirect, or by an address in a reply. */
export interface LeadOptions {
  /** The address that the job named. */
  base: URL;
  /** Hosts that are trusted wherever they are, each with or without its port. */
  trusted?: ReadonlySet<string> | undefined;
  /** Whether a server on this machine may lead to another one on it. Default true. */
  loopback?: boolean | undefined;
  /** Default: as the system resolves names. */
  lookup?: Lookup | undefined;
}

/**
 * Whether a server may lead to an address. It must not make a job ask addresses that only the job can reach: the target
 * has the server's own host and port, or is trusted, or is not nearer than the server. What is connected later must be
 * so, too, whatever the name means by then.
 */
export async function mayLeadTo(
  url: URL,
  { base, trusted, loopback = true, lookup }: LeadOptions,
): Promise<boolean> {
  if (url.host === base.host) return true;
  if (trusted?.has(url.host) === true || trusted?.has(url.hostname) === true) return true;
  // The farthest: a server that is public under one of its addresses has no claim to what is private.
  const found = (await farthestOfHost(base.hostname, lookup)) ?? 'public';
  const own = found === 'loopback' && !loopback ? 'private' : found;
  const nearness = await nearnessOfHost(url.hostname, lookup);
  if (nearness !== undefined && !mayBeAt(nearness, own)) return false;
  limitHost(url.hostname, own);
  return true;
}

/** Whether a job may be told to trust a host. It must never trust a metadata service, under whatever name. */
export async function mayBeTrusted({ hostname }: URL, lookup?: Lookup): Promise<boolean> {
  return (await nearnessOfHost(hostname, lookup)) !== 'never';
}

/**
 * Refuses a redirect to an address that only this job can reach.
 * @throws {@link DrayageError} `UNSAFE`
 */
export async function assertMayLeadTo(url: URL, options: LeadOptions): Promise<void> {
  if (await mayLeadTo(url, options)) return;
  const from = withoutSecrets(options.base);
  throw new DrayageError('UNSAFE', `${from} leads to a server in a network of this job: ${url.host}`, {
    url: withoutSecrets(url),
    reason: 'NEAR_HOST',
    name: url.host,
    hint: (await mayBeTrusted(url, options.lookup)) ? 'trust that host if it is the storage' : undefined,
  });
}
