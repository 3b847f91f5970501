import type { DaemonSigns } from '../connect/greet.ts';
import { containerdStore } from './containerd.ts';
import { graphStore } from './graph.ts';
import { podmanStore } from './podman.ts';
import type { Store } from './store.ts';

/**
 * What keeps a daemon's images: `graph` docker's own store (default before 29), `containerd` the containerd image store,
 * `podman` podman's.
 */
export type DaemonKind = 'graph' | 'containerd' | 'podman';

/** Every kind of daemon. A new one is its file, and a row here before the last, which takes whatever no other knows. */
const STORES: readonly Store<DaemonKind>[] = [podmanStore, containerdStore, graphStore];

/** The store of a daemon: the first that knows its signs. */
export async function storeOf(signs: DaemonSigns): Promise<Store<DaemonKind>> {
  for (const store of STORES) if (await store.isOf(signs)) return store;
  return graphStore;
}
