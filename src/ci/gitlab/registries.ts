import type { Env } from '../origin.ts';

/** The variables of a registry's host, and of the credentials for it. */
const REGISTRIES = [
  ['CI_REGISTRY', 'CI_REGISTRY_USER', 'CI_REGISTRY_PASSWORD'],
  ['CI_DEPENDENCY_PROXY_SERVER', 'CI_DEPENDENCY_PROXY_USER', 'CI_DEPENDENCY_PROXY_PASSWORD'],
] as const;

/** GitLab's own registry and its dependency proxy, by host as references name it. */
export function offeredRegistries(env: Env): string[] {
  return REGISTRIES.flatMap(([host]) => [...spellings(env[host])]);
}

/** GitLab's credentials for its own registry and its dependency proxy, by host as references name it. */
export function registryCredentials(env: Env): Map<string, { username: string; password: string }> {
  const found = new Map<string, { username: string; password: string }>();
  for (const [host, user, secret] of REGISTRIES) {
    const [name, username, password] = [env[host], env[user], env[secret]];
    if (!name || !username || !password) continue;
    for (const known of spellings(name)) found.set(known, { username, password });
  }
  return found;
}

/** The proxy's variables include the default port, which other places omit. */
function spellings(name: string | undefined): Set<string> {
  return new Set(name ? [name, name.replace(/:443$/, '')] : []);
}
