import type { Digest } from '../../oci/digest.ts';
import { digestHex, digestOf } from '../../oci/digest.ts';

/** What docker takes a layer's own config for: it has none since the images of 1.10. */
const NO_CONFIG = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: '',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

/**
 * The names that docker before 25 gives an image's layers in an archive (`v1.CreateID` of moby): a folder for each, named
 * after a hash of the layer, of all layers below it and of a config. The top layer's name is unknown, because it covers the
 * image's config; so are the names by a daemon whose time zone is not UTC.
 * @param diffIds bottom first
 * @returns diffIDs by the names of the entries that hold them
 */
export function v1LayerNames(diffIds: readonly Digest[]): Map<string, Digest> {
  const names = new Map<string, Digest>();
  let chainId: Digest | undefined;
  let parent: Digest | undefined;
  for (const diffId of diffIds.slice(0, -1)) {
    chainId = chainId === undefined ? diffId : digestOf(Buffer.from(`${chainId} ${diffId}`));
    const layer = {
      container_config: NO_CONFIG,
      created: '1970-01-01T00:00:00Z',
      layer_id: chainId,
      ...(parent !== undefined && { parent }),
    };
    parent = digestOf(Buffer.from(JSON.stringify(layer)));
    names.set(`${digestHex(parent)}/layer.tar`, diffId);
  }
  return names;
}
