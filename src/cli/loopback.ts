/** Whether a URL leads to this machine itself: `localhost`, `127.0.0.2`, `[::1]`. */
export function isLoopback(url: string | URL): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(new URL(url).hostname);
}
