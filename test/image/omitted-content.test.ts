import { expect, test } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { DrayageError } from '../../src/errors.ts';
import { OMITTED_LAYERS } from '../../src/image/annotations.ts';
import { omittedContent } from '../../src/image/omitted-content.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import { BASE_NAME } from '../../src/oci/annotations.ts';
import { select } from '../../src/select/select.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';

const IMAGE = sampleImage(['base', 'app']);

test.each<[ErrorCode, ErrorCode]>([
  ['LINK', 'LINK'],
  ['UNSAFE', 'UNSAFE'],
  ['IO', 'IO'],
  ['LIMIT', 'LIMIT'],
  ['DIGEST_MISMATCH', 'DIGEST_MISMATCH'],
  ['DENIED', 'DENIED'],
  ['UNREACHABLE', 'UNREACHABLE'],
  ['TIMEOUT', 'UNREACHABLE'],
  ['NOT_FOUND', 'UNREACHABLE'],
])('a failure %s while a base is opened is reported as %s', async (thrown, reported) => {
  const store = new MemoryStore();
  const annotations = { [OMITTED_LAYERS]: '1', [BASE_NAME]: 'registry.example/base:1' };
  await store.update((content) =>
    addSample(content, IMAGE, ['app:1'], annotations, IMAGE.layers.slice(0, 1)),
  );
  const [placed = expect.fail()] = await select([store]);
  const [{ layers }] = placed.read;
  const content = omittedContent(placed, {
    openBase: async () => {
      throw new DrayageError(thrown, 'the reason');
    },
  });
  const opening = content.open(layers[0]?.blob ?? expect.fail());
  await expect(opening).rejects.toMatchObject({
    code: reported,
    message: expect.stringContaining('the reason'),
  });
});
