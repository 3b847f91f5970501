import type { Check } from './check.ts';
import { examine } from './check.ts';
import { openConnections, proxyVariables } from '../http.ts';
import { namedHosts } from '../registry-hosts.ts';
import { credentialSources } from '../registries.ts';
import { servicesOf } from '../signing.ts';
import type { DoctorInput } from './input.ts';

/** The hosts that may be asked, and through which proxy. Asks none of them. */
export async function checkHosts({ options, context }: DoctorInput): Promise<Check> {
  return examine('hosts', 'warn', async (facts) => {
    const { env } = context;
    const gitlab = env['CI_API_V4_URL'];
    const registries = await namedHosts(options, context);
    const signing =
      options.sign === true ? Object.values(servicesOf(options)).flatMap((url) => hostOf(url) ?? []) : [];
    Object.assign(facts, { gitlab: hostOf(gitlab) ?? null, registries, signing });
    const proxies = proxyVariables(env);
    facts['proxies'] = proxies;
    await (await openConnections(options.ca, context))[Symbol.asyncDispose]();
    const asked = [hostOf(gitlab) ?? [], registries.map(({ host }) => host), signing].flat();
    const each = proxies.map(
      (name) => `${/^https/i.test(name) ? 'https' : 'http'} through the proxy in ${name}`,
    );
    const through = each.map((text) => `, ${text}`).join('');
    return { status: 'ok', message: `may be asked: ${[...new Set(asked)].join(', ')}${through}`, facts };
  });
}

/** The credentials for registries: where they are, never what they are. */
export async function checkCredentials({ context }: DoctorInput): Promise<Check> {
  return examine('credentials', 'warn', async (facts) => {
    const all = await credentialSources(context);
    const sources = all.map(({ name, hosts, store = null }) => ({ name, hosts, store }));
    facts['sources'] = sources;
    const unread = all.find((source) => source.unread !== undefined)?.unread;
    if (unread !== undefined) throw unread;
    const found = sources.filter(({ hosts, store }) => hosts.length > 0 || store !== null).map(describe);
    const message = found.length === 0 ? 'no credentials for registries' : found.join('; ');
    return { status: 'ok', message, facts };
  });
}

function describe({
  name,
  hosts,
  store,
}: {
  name: string;
  hosts: readonly string[];
  store: string | null;
}): string {
  const helper = store === null ? [] : [`all that docker-credential-${store} knows`];
  return `${name}: ${[...hosts, ...helper].join(', ')}`;
}

/** Without user and password, which an address may hold. */
function hostOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).host : undefined;
}
