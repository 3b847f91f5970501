import type { Descriptor } from '../../oci/descriptor.ts';
import type { WriteTarOptions } from '../tar/write.ts';

/** Options of an archive that is written from blobs. */
export interface BlobArchiveOptions extends WriteTarOptions {
  /** Called when the content of a blob is in the archive. */
  onBlob?: ((blob: Descriptor) => void) | undefined;
}
