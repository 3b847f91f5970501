/**
 * An address that is safe to show: without its query, which may be a signature, and without credentials before an `@`.
 */
export function withoutSecrets(url: URL): string {
  return url.origin + url.pathname;
}
