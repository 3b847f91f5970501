import { digestOf } from '../../../src/oci/digest.ts';
import { entry, tar } from './tar-bytes.ts';

/** A layer's tar, with one file in it. */
export function layerTar(text: string): Buffer {
  return tar(entry('etc/motd', `${text}\n`.repeat(100)));
}

/** An image config over these layers (uncompressed). */
export function imageConfig(layers: Buffer[], extra: Record<string, unknown> = {}): Buffer {
  const diff_ids = layers.map((layer) => digestOf(layer));
  return Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids }, ...extra }),
  );
}

/** JSON as an entry's content. */
export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** The hex of content's digest. */
export function hex(bytes: Buffer): string {
  return digestOf(bytes).slice('sha256:'.length);
}

/** The entry of a blob in a layout. */
export function blob(bytes: Buffer): Buffer {
  return entry(`blobs/sha256/${hex(bytes)}`, bytes);
}

/** A descriptor of content. */
export function describe(
  bytes: Buffer,
  mediaType: string,
  extra: Record<string, unknown> = {},
): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: digestOf(bytes), size: bytes.length, ...extra };
}
