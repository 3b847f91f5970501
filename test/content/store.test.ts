import { join } from 'node:path';
import { Layout } from '../../src/layout/layout.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { imageStoreContract } from '../contract/store.ts';

imageStoreContract('a layout', async () => Layout.create(join(await temporaryFolder(), 'layout')));
imageStoreContract('a store in memory', async () => new MemoryStore());
