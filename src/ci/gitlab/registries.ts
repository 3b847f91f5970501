import type { Env } from '../origin.ts';

/** The variables of a job that are a registry's host, and what it is shown there. */
const REGISTRIES = [
  ['CI_REGISTRY', 'CI_REGISTRY_USER', 'CI_REGISTRY_PASSWORD'],
  ['CI_DEPENDENCY_PROXY_SERVER', 'CI_DEPENDENCY_PROXY_USER', 'CI_DEPENDENCY_PROXY_PASSWORD'],
] as const;

/** What GitLab gives a job for its own registry and its dependency proxy, by host as references name it. */
export function registryCredentials(env: Env): Map<string, { username: string; password: string }> {
  const found = new Map<string, { username: string; password: string }>();
  for (const [host, user, secret] of REGISTRIES) {
    const [name, username, password] = [env[host], env[user], env[secret]];
    if (!name || !username || !password) continue;
    // The variables of the proxy have the usual port in them, which others leave out.
    for (const known of new Set([name, name.replace(/:443$/, '')])) found.set(known, { username, password });
  }
  return found;
}
