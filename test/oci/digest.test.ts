import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createDigester,
  digestAlgorithm,
  digestHex,
  digestOf,
  isDigest,
  parseDigest,
  shortDigest,
} from '../../src/oci/digest.ts';
import { fakeDigest, thrown } from './documents.ts';

const ABC = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
const ABC_512 =
  'sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a' +
  '2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f';

describe('a well-formed digest', () => {
  test.each([ABC, ABC_512, fakeDigest('0')])('%s', (text) => {
    expect(isDigest(text)).toBe(true);
    expect(parseDigest(text)).toBe(text);
  });
});

describe('not a digest', () => {
  test.each([
    ['nothing', ''],
    ['no algorithm', 'a'.repeat(64)],
    ['a short one', `sha256:${'a'.repeat(63)}`],
    ['a long one', `sha256:${'a'.repeat(65)}`],
    ['sha256 of the length of sha512', `sha256:${'a'.repeat(128)}`],
    ['sha512 of the length of sha256', `sha512:${'a'.repeat(64)}`],
    ['upper-case hex', ABC.toUpperCase().replace('SHA', 'sha')],
    ['an upper-case algorithm', ABC.replace('sha', 'SHA')],
    ['an unknown algorithm', `md5:${'a'.repeat(32)}`],
    ['sha384, which is not read', `sha384:${'a'.repeat(96)}`],
    ['a digit that is no hex', `sha256:${'g'.repeat(64)}`],
    ['a line break at its end', `${ABC}\n`],
    ['a space in front', ` ${ABC}`],
    ['a path', `sha256:../../${'a'.repeat(58)}`],
    ['two algorithms', `sha256:${ABC}`],
    ['full-width digits', `sha256:${'０'.repeat(64)}`],
  ])('%s', (_, text) => {
    expect(isDigest(text)).toBe(false);
    thrown('MALFORMED', () => parseDigest(text));
  });

  test('a huge one does not make a huge error', () => {
    const error = thrown('MALFORMED', () => parseDigest('x'.repeat(1_000_000)));
    expect(error.message.length).toBeLessThan(200);
    expect(String(error.facts.actual).length).toBeLessThan(200);
  });
});

test('a digest comes apart into algorithm, hex and short form', () => {
  const [sha256, sha512] = [parseDigest(ABC), parseDigest(ABC_512)];
  expect([digestAlgorithm(sha256), digestAlgorithm(sha512)]).toEqual(['sha256', 'sha512']);
  expect(digestHex(sha256)).toBe(ABC.slice(7));
  expect(digestHex(sha512)).toBe(ABC_512.slice(7));
  expect(shortDigest(sha256)).toBe('ba7816bf8f01');
});

test('known bytes have the known digest', () => {
  const abc = Buffer.from('abc');
  expect(digestOf(abc)).toBe(ABC);
  expect(digestOf(abc, 'sha512')).toBe(ABC_512);
  expect(digestOf(new Uint8Array())).toBe(
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
});

test('bytes have one digest, whole or in any pieces', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array()),
      fc.constantFrom('sha256' as const, 'sha512' as const),
      (chunks, algorithm) => {
        const digester = createDigester(algorithm);
        for (const chunk of chunks) digester.update(chunk);
        const digest = digester.digest();
        expect(digest).toBe(digestOf(Buffer.concat(chunks), algorithm));
        expect(isDigest(digest)).toBe(true);
      },
    ),
  );
});
