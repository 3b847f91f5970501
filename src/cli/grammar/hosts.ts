import { InvalidArgumentError } from 'commander';

const HOST = /^(?:\[[a-f\d:]+\]|[a-z\d-]+(?:\.[a-z\d-]+)*)(?::\d{1,5})?$/i;

/**
 * Collects hosts of registries, as references name them. A variable holds several, with spaces between them.
 * @throws `InvalidArgumentError` if one is not a host, such as the next argument after an option without its value
 */
export function collectHosts(value: string, before: readonly string[] = []): string[] {
  const hosts = value.split(/\s+/).filter((host) => host !== '');
  if (hosts.length > 0 && hosts.every(isHost)) return [...before, ...hosts];
  throw new InvalidArgumentError('It must be the host of a registry, such as registry.example:5000.');
}

/** Without a dot or a port it would be a repository of Docker Hub. */
function isHost(text: string): boolean {
  return HOST.test(text) && (/[.:]/.test(text) || text === 'localhost');
}
