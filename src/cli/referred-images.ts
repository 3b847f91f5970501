import { join } from 'node:path';
import type { PromoteOptions } from '../index.ts';
import { Layout, takeReferred } from '../index.ts';
import type { Context } from './context.ts';
import { openDaemon } from './daemon.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

/** Opens images of references, until it is closed. */
export interface OpenReferences extends AsyncDisposable {
  open: NonNullable<PromoteOptions['openReference']>;
}

/** Takes images of references out of the daemon, into temporary layouts. */
export async function openReferences(host: string | undefined, context: Context): Promise<OpenReferences> {
  const { signal, onProgress } = context;
  const folders: AsyncDisposable[] = [];
  const daemon = await openDaemon(host, context);
  return {
    open: async (reference, image) => {
      const folder = await makeTemporaryFolder();
      folders.push(folder);
      const to = await Layout.create(join(folder.path, 'layout'));
      await takeReferred({ from: daemon, reference, image, to, signal, onProgress });
      return to;
    },
    [Symbol.asyncDispose]: async () => {
      for (const folder of folders) await folder[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
    },
  };
}
