/** GitLab's defaults for the size of an archive of artifacts, in bytes. */
const GITLAB_COM = 1024 ** 3;
const SELF_MANAGED = 100 * 1024 ** 2;

/** The size of artifacts, in bytes, that an instance takes unless its administrators said otherwise. */
export function knownSizeLimit(server: string): number {
  return server === 'https://gitlab.com' ? GITLAB_COM : SELF_MANAGED;
}
