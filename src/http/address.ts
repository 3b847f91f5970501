/**
 * An address that is safe to show: without its query, which may be a signature, and without credentials before an `@`.
 */
export function withoutSecrets(url: URL): string {
  return url.origin + url.pathname;
}

/** Whether an address is this machine's own: `localhost`, `127.0.0.2`, `[::1]`, with or without a port. */
export function isLoopback(url: string | URL): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(new URL(url).hostname);
}
