import type { EndpointImage } from '../content/endpoint.ts';
import type { DaemonImage } from './images.ts';
import type { DaemonKind } from './connect/kind.ts';

/** The platforms of an image; undefined if the daemon does not say. Only a containerd store holds several. */
export function imagePlatforms(kind: DaemonKind, image: DaemonImage): EndpointImage['platforms'] {
  const { id, os, architecture, variant, manifests } = image;
  if (kind !== 'containerd') return [{ platform: { os, architecture, variant }, digest: id }];
  return manifests?.flatMap(({ digest, platform, available }) =>
    available && platform !== undefined ? [{ platform, digest }] : [],
  );
}
