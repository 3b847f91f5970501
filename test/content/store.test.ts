import { join } from 'node:path';
import { Layout } from '../../src/layout/layout.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { imageStoreContract } from '../../src/testing/store-contract.ts';
import { runContract } from '../contract/content.ts';

runContract(
  'a layout is a store of images',
  imageStoreContract(async () => Layout.create(join(await temporaryFolder(), 'layout'))),
);
runContract(
  'a store in memory is a store of images',
  imageStoreContract(async () => new MemoryStore()),
);
