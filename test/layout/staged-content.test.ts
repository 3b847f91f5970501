import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StagedContent } from '../../src/layout/staged-content.ts';
import { Staging } from '../../src/layout/staging.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { tempFolder } from './folders.ts';

/** Read once more at its commit: only sha256 is computed while a blob is written. */
const BYTES = Buffer.alloc(8 << 20);
const DIGEST: Digest = `sha512:${createHash('sha512').update(BYTES).digest('hex')}`;

test('closing waits for a commit that has begun', async () => {
  const staging = await Staging.open(join(tempFolder(), 'layout'));
  const staged = new StagedContent(staging);
  const writer = await staged.begin(() => {});
  await writer.write(BYTES);
  let isCommitted = false;
  const commit = writer.commit({ digest: DIGEST }).then(() => (isCommitted = true));
  await staged.close();
  expect(isCommitted).toBe(true);
  await commit;
  await staging.remove();
});

test('closing drops what is half written, and what was refused', async () => {
  const staging = await Staging.open(join(tempFolder(), 'layout'));
  const staged = new StagedContent(staging);
  const writers = [await staged.begin(() => {}), await staged.begin(() => {}), await staged.begin(() => {})];
  for (const writer of writers) await writer.write(BYTES);
  await writers[0]?.abort();
  const refused = writers[1]?.commit({ digest: DIGEST.replaceAll(/[0-9a-f]{8}$/g, '00000000') as Digest });
  const outcome = expect(refused).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  await staged.close();
  await outcome;
  expect(readdirSync(staging.path)).toEqual(['lease']);
  await staging.remove();
});
