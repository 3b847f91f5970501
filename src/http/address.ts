/** An address as it may be shown: the query of a signed one is a key, and so is what stands before an `@`. */
export function withoutSecrets(url: URL): string {
  return url.origin + url.pathname;
}
