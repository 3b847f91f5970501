/** How long clean-up requests to a daemon may take, in ms. */
const CLEANUP_TIMEOUT = 3000;

/** The signal for clean-up requests: it is separate from the caller's, because clean-up also follows an abort. */
export function cleanupSignal(): AbortSignal {
  return AbortSignal.timeout(CLEANUP_TIMEOUT);
}
