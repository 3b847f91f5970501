/** How many of the first layers are omitted: another place holds them. */
export const OMITTED_LAYERS = 'dev.drayage.omitted-layers';
/** Digest of the original index, when only some of its manifests were available. */
export const ORIGINAL_INDEX = 'dev.drayage.original-index';
