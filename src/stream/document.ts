import { currentBudget } from '../budget.ts';
import { DrayageError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { MAX_DOCUMENT_SIZE } from '../oci/parse.ts';
import { verified } from './verified.ts';

/**
 * Reads a whole small document and checks it. The descriptor's size is checked before the first byte is read.
 * @param limit the largest size that is read, in bytes; default 4 MiB
 * @throws {@link DrayageError} `LIMIT`, `DIGEST_MISMATCH`, `SIZE_MISMATCH`
 */
export async function readDocument(
  bytes: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
  limit: number = MAX_DOCUMENT_SIZE,
): Promise<Buffer> {
  assertDocumentSize(descriptor, limit);
  const chunks: Uint8Array[] = [];
  for await (const chunk of verified(bytes, descriptor)) chunks.push(chunk);
  const document = Buffer.concat(chunks);
  currentBudget()?.spendDocument(descriptor.digest, document);
  return document;
}

/**
 * Refuses a document that is too large for memory.
 * @throws {@link DrayageError} `LIMIT`
 */
export function assertDocumentSize(descriptor: Descriptor, limit: number = MAX_DOCUMENT_SIZE): void {
  if (descriptor.size <= limit) return;
  throw new DrayageError(
    'LIMIT',
    `document ${descriptor.digest} has ${descriptor.size} bytes, over the limit of ${limit}`,
    {
      expected: limit,
      actual: descriptor.size,
      digest: descriptor.digest,
    },
  );
}
