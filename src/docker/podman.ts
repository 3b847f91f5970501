import { graphStore } from './graph.ts';
import type { Store } from './store.ts';

/**
 * Podman's store, which identifies images as docker's own does. A name inside an archive becomes `localhost/<name>` there,
 * which is not always what docker clients mean by it: images are loaded without a name, and get theirs through the API,
 * which moves a name of `localhost/` where there is one and sets docker's otherwise.
 */
export const podmanStore: Store = { ...graphStore, takesNames: false };
