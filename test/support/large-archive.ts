import { randomBytes } from 'node:crypto';
import { makeCargo } from '../docker/cargo.ts';
import { digestHex } from '../../src/oci/digest.ts';
import { entry, tar } from './archives/tar-bytes.ts';

/** An archive of docker with one image, whose layer is large enough to be hashed on a thread. */
export function largeArchive(): Buffer {
  const { configDigest, diffIds, source } = makeCargo({
    layers: [randomBytes(3 * 1024 * 1024)],
    compress: false,
  });
  const bytesOf = (digest: typeof configDigest): Buffer => Buffer.from(source.blobs.get(digest) ?? []);
  const [config, layers] = [`${digestHex(configDigest)}.json`, diffIds.map((id) => `${digestHex(id)}.tar`)];
  return tar(
    ...diffIds.map((id, i) => entry(layers[i] ?? '', bytesOf(id))),
    entry(config, bytesOf(configDigest)),
    entry('manifest.json', JSON.stringify([{ Config: config, RepoTags: ['large:1'], Layers: layers }])),
  );
}
