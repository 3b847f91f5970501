import type { Context } from './context.ts';
import { lazily } from './lazily.ts';
import type { OpenReferences } from './referred-images.ts';

/** Opens images of references. Connects to the daemon when the first one is opened. */
export function lazyReferences(host: string | undefined, context: Context): OpenReferences {
  const opened = lazily(async () => (await import('./referred-images.ts')).openReferences(host, context));
  return {
    open: async (reference, image) => (await opened.get()).open(reference, image),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}
