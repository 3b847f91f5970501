import { generateKeyPairSync } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { worstExitCode } from '../../src/cli/exit-code.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { Layout } from '../../src/layout/layout.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { drayage } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test.each<[number, ErrorCode[]]>([
  [0, []],
  [4, ['NOT_FOUND']],
  [5, ['DIGEST_MISMATCH', 'POLICY']],
  [6, ['NOT_FOUND', 'LIMIT', 'IO']],
  [2, ['MALFORMED', 'UNSAFE', 'UNREACHABLE']],
  [1, ['NOT_FOUND', 'IO', 'TIMEOUT']],
  [4, ['UNREACHABLE', 'INCOMPLETE']],
  [3, ['LOCKED', 'TIMEOUT']],
])('%i is the exit code of %j, in any order', (expected, codes) => {
  const problems = codes.map((code) => ({ code }));
  expect(worstExitCode(problems)).toBe(expected);
  expect(worstExitCode(problems.toReversed())).toBe(expected);
});

test('verify ends with the code of the worst problem, whichever layout or check finds it first', async () => {
  const cwd = await temporaryFolder();
  const image = sampleImage(['app']);
  for (const name of ['damaged', 'intact']) {
    const layout = await Layout.create(join(cwd, name));
    await layout.update((transaction) => addSample(transaction, image, ['app:1']));
  }
  const [layer] = image.layers;
  await rm(join(cwd, 'damaged/blobs', layer?.digest.replace(':', '/') ?? ''));
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(join(cwd, 'key.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  const codeOf = async (...args: string[]): Promise<number | null> =>
    (await drayage(['verify', ...args], { cwd })).code;
  expect(await codeOf('intact', 'damaged')).toBe(4);
  // Nobody signed the images, which no retry mends.
  expect(await codeOf('--expect-signed', '--key', 'key.pub', 'damaged', 'intact')).toBe(5);
  expect(await codeOf('--expect-signed', '--key', 'key.pub', 'intact', 'damaged')).toBe(5);
});
