import { expect, test } from 'vitest';
import { parseChallenges } from '../../src/registry/challenge.ts';

const parsed = (...values: string[]): [string, Record<string, string>][] =>
  parseChallenges(values).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test.each<[string, [string, Record<string, string>][]]>([
  ['Basic realm="a registry"', [['basic', { realm: 'a registry' }]]],
  [
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
    [
      [
        'bearer',
        {
          realm: 'https://auth.example/token',
          service: 'registry.example',
          scope: 'repository:a/b:pull,push',
        },
      ],
    ],
  ],
  [
    'BEARER Realm = https://x/t , error=invalid_token',
    [['bearer', { realm: 'https://x/t', error: 'invalid_token' }]],
  ],
  [
    'Basic realm="a, b", Bearer realm="say \\"c\\"",service="d"',
    [
      ['basic', { realm: 'a, b' }],
      ['bearer', { realm: 'say "c"', service: 'd' }],
    ],
  ],
  ['Negotiate', [['negotiate', {}]]],
  [
    'Negotiate, Basic realm="x"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'x' }],
    ],
  ],
  ['', []],
  ['"only a string"', []],
])('the challenges of %j', (text, expected) => {
  expect(parsed(text)).toEqual(expected);
});

test('several values are read in order', () => {
  expect(parsed('Basic realm="a"', 'Bearer realm="b"').map(([scheme]) => scheme)).toEqual([
    'basic',
    'bearer',
  ]);
});

test('a string that is never closed ends the reading', () => {
  expect(parsed('Bearer realm="never closed')[0]?.[0]).toBe('bearer');
});

test('a long value is read in no more than its length', () => {
  expect(parsed(`Bearer realm="${'\\"'.repeat(8000)}`)[0]?.[0]).toBe('bearer');
});
