/** How long a daemon gets to take back what is no longer wanted, in ms. */
const CLEANUP_TIMEOUT = 3000;

/** For cleaning up, which has to be done after an abort too: not the caller's signal, but a short one of its own. */
export function cleanupSignal(): AbortSignal {
  return AbortSignal.timeout(CLEANUP_TIMEOUT);
}
