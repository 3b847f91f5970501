import type { RegistryApi } from './api.ts';

/** A repository as requests need it. */
export interface RepositoryAddress {
  api: RegistryApi;
  /** Its path: `group/app`. */
  path: string;
  /** Its name for people: `registry.example/group/app`. */
  name: string;
}

/** An action on a repository. */
export type Action = 'pull' | 'push' | 'delete';

/** The scope of a token for a repository (distribution, spec/auth/scope). */
export function repositoryScope({ path }: Pick<RepositoryAddress, 'path'>, ...actions: Action[]): string {
  return `repository:${path}:${actions.join(',')}`;
}
