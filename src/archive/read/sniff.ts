import { detectCompression, isReadable } from '../../stream/codecs.ts';
import { BLOCK, hasChecksum, isZero } from '../tar/header.ts';

/** Whether content that begins so is a layer: a tar archive, an empty one too, or one that is compressed in a way that is read. */
export function looksLikeLayer(head: Uint8Array): boolean {
  const compression = detectCompression(head);
  if (compression !== 'none' && isReadable(compression)) return true;
  return head.length >= BLOCK && (hasChecksum(head) || isZero(head));
}
