import { join } from 'node:path';
import type { DockerDaemon, PromoteOptions } from '../index.ts';
import { Layout, takeReferred } from '../index.ts';
import type { Context } from './context.ts';
import { openDaemon } from './daemon.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

/** Opens images of references, until it is closed. */
export interface OpenReferences extends AsyncDisposable {
  open: NonNullable<PromoteOptions['openReference']>;
}

/** Takes images of references out of the daemon, into temporary layouts. Connects when the first one is opened. */
export function lazyReferences(host: string | undefined, context: Context): OpenReferences {
  const { signal, onProgress } = context;
  const folders: AsyncDisposable[] = [];
  let daemon: Promise<DockerDaemon> | undefined;
  return {
    open: async (reference, image) => {
      daemon ??= openDaemon(host, context);
      const from = await daemon;
      const folder = await makeTemporaryFolder();
      folders.push(folder);
      const to = await Layout.create(join(folder.path, 'layout'));
      await takeReferred({ from, reference, image, to, signal, onProgress });
      return to;
    },
    [Symbol.asyncDispose]: async () => {
      for (const folder of folders) await folder[Symbol.asyncDispose]();
      const connected = await daemon?.catch(() => undefined);
      await connected?.[Symbol.asyncDispose]();
    },
  };
}
