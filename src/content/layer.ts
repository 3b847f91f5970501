import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** A layer's bytes as they arrive, with what is known of them before the first byte. */
export interface LayerHint {
  /** The archive entry or the digest that names them, for errors. */
  entry: string;
  /** Bytes to come. */
  size: number;
  /** What their digest is said to be. It decides what is worth storing; the bytes are held against it. */
  promised?: Digest;
}

/** What is known of a layer after its bytes have passed. */
export interface IngestedLayer {
  /** The bytes as they arrived. */
  received: { digest: Digest; size: number };
  /** Digest of the uncompressed bytes. */
  diffId: Digest;
  /** In bytes; null where its bytes were not read: the blob was there already. */
  uncompressedSize: number | null;
  /** The blob that is stored: as it arrived where it was compressed already. */
  blob: Descriptor;
  status: 'written' | 'reused';
}

/** Turns a layer's bytes into a stored blob, in one pass. */
export type IngestLayer = (bytes: AsyncIterable<Uint8Array>, hint: LayerHint) => Promise<IngestedLayer>;
