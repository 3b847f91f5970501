import type { Context } from './context.ts';
import type { OpenReferences } from './referred-images.ts';

/** Opens images of references. Connects to the daemon when the first one is opened. */
export function lazyReferences(host: string | undefined, context: Context): OpenReferences {
  let opened: Promise<OpenReferences> | undefined;
  return {
    open: async (reference, image) => {
      opened ??= import('./referred-images.ts').then(async (file) => file.openReferences(host, context));
      return (await opened).open(reference, image);
    },
    [Symbol.asyncDispose]: async () => {
      const connected = await opened?.catch(() => undefined);
      await connected?.[Symbol.asyncDispose]();
    },
  };
}
