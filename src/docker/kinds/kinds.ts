import type { DaemonSigns } from '../connect/greet.ts';
import { containerdStore } from './containerd.ts';
import { graphStore } from './graph.ts';
import { podmanStore } from './podman.ts';
import type { Store } from './store.ts';

/** Every kind of daemon. A new one is its file, and a row here before the last, which takes whatever no other knows. */
const STORES: readonly Store[] = [podmanStore, containerdStore, graphStore];

/** The store of a daemon: the first that knows its signs. */
export async function storeOf(signs: DaemonSigns): Promise<Store> {
  for (const store of STORES) if (await store.isOf(signs)) return store;
  return graphStore;
}
