import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestDaemon } from './daemons.ts';

/** What a daemon says of an image, by its own means. */
export interface DaemonIdentity {
  configDigest: string;
  diffIds: string[];
  /** Familiar names; podman's `localhost/` and full names are mapped back. */
  names: string[];
}

const CONTENT = 'containerd/daemon/io.containerd.content.v1.content/blobs/sha256';

interface InspectOutput {
  Id: string;
  RepoTags: string[] | null;
  RootFS: { Layers: string[] };
}

/** Asks a daemon through its own client, not through ours. */
export async function identify(daemon: TestDaemon, image: string): Promise<DaemonIdentity> {
  const { code, stdout, stderr } = await daemon.docker(['image', 'inspect', image]);
  if (code !== 0) throw new Error(`${daemon.kind}: ${stderr}`);
  const [found] = JSON.parse(stdout) as InspectOutput[];
  if (found === undefined) throw new Error(`${daemon.kind}: no ${image}`);
  return {
    configDigest: await configDigest(daemon, found.Id),
    diffIds: found.RootFS.Layers,
    names: (found.RepoTags ?? [])
      .map((name) => name.replace(/^(?:localhost\/|docker\.io\/(?:library\/)?)/, ''))
      .toSorted((a, b) => a.localeCompare(b)),
  };
}

/** A containerd store calls an image by its manifest or index: the config is found by following it in the content store. */
async function configDigest(daemon: TestDaemon, id: string): Promise<string> {
  if (daemon.kind !== 'docker-28-containerd') return id.startsWith('sha256:') ? id : `sha256:${id}`;
  const read = async (digest: string): Promise<Record<string, unknown>> => {
    const path = join(daemon.dataRoot, CONTENT, digest.replace('sha256:', ''));
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  };
  let document = await read(id);
  const children = document['manifests'] as { digest: string; platform?: { os: string } }[] | undefined;
  const image = children?.find(({ platform }) => platform?.os !== 'unknown');
  if (image !== undefined) document = await read(image.digest);
  return (document['config'] as { digest: string }).digest;
}
