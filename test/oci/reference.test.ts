import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  familiarReference,
  familiarRepository,
  isReference,
  looksLikeImageId,
  normalizedReference,
  normalizeName,
  parseReference,
  readsAsDigest,
  taggedName,
  withDefaultTag,
} from '../../src/oci/reference.ts';
import { thrown } from './documents.ts';

const HEX = '1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a';
const SHA256 = `sha256:${HEX}`;
const SHA512 = `sha512:${HEX}${HEX}`;

/** Text, domain, path, familiar form: what docker's own parser (distribution/reference 0.6) answers. */
const GOOD: [text: string, domain: string, path: string, familiar: string][] = [
  ['temp', 'docker.io', 'library/temp', 'temp'],
  ['temp:1', 'docker.io', 'library/temp', 'temp:1'],
  ['temp:_x', 'docker.io', 'library/temp', 'temp:_x'],
  ['temp:V1.0-rc_1', 'docker.io', 'library/temp', 'temp:V1.0-rc_1'],
  [`temp:${'a'.repeat(128)}`, 'docker.io', 'library/temp', `temp:${'a'.repeat(128)}`],
  ['a/b', 'docker.io', 'a/b', 'a/b'],
  ['a/b/c:1', 'docker.io', 'a/b/c', 'a/b/c:1'],
  ['library/temp', 'docker.io', 'library/temp', 'temp'],
  ['library/a/b', 'docker.io', 'library/a/b', 'library/a/b'],
  ['docker.io/temp', 'docker.io', 'library/temp', 'temp'],
  ['docker.io/library/temp', 'docker.io', 'library/temp', 'temp'],
  ['docker.io/library/a/b', 'docker.io', 'library/a/b', 'library/a/b'],
  ['docker.io/a/b', 'docker.io', 'a/b', 'a/b'],
  ['docker.io', 'docker.io', 'library/docker.io', 'docker.io'],
  ['index.docker.io/x', 'docker.io', 'library/x', 'x'],
  ['index.docker.io/x/y:1', 'docker.io', 'x/y', 'x/y:1'],
  ['registry-1.docker.io/x', 'registry-1.docker.io', 'x', 'registry-1.docker.io/x'],
  ['localhost', 'docker.io', 'library/localhost', 'localhost'],
  ['localhost/a', 'localhost', 'a', 'localhost/a'],
  ['localhost:5000', 'docker.io', 'library/localhost', 'localhost:5000'],
  ['localhost:5000/a', 'localhost:5000', 'a', 'localhost:5000/a'],
  ['localhost:5000/a:1', 'localhost:5000', 'a', 'localhost:5000/a:1'],
  ['LOCALHOST/a', 'LOCALHOST', 'a', 'LOCALHOST/a'],
  ['Docker.io/x', 'Docker.io', 'x', 'Docker.io/x'],
  ['Foo/bar', 'Foo', 'bar', 'Foo/bar'],
  ['fOo/bar', 'fOo', 'bar', 'fOo/bar'],
  ['example.com/library/a', 'example.com', 'library/a', 'example.com/library/a'],
  ['example.com:8000/a/b', 'example.com:8000', 'a/b', 'example.com:8000/a/b'],
  ['192.168.0.1', 'docker.io', 'library/192.168.0.1', '192.168.0.1'],
  ['192.168.0.1:8/a', '192.168.0.1:8', 'a', '192.168.0.1:8/a'],
  ['[fc00::1]:5000/a', '[fc00::1]:5000', 'a', '[fc00::1]:5000/a'],
  ['[::1]/a', '[::1]', 'a', '[::1]/a'],
  ['[FC00::1]/a/b:1', '[FC00::1]', 'a/b', '[FC00::1]/a/b:1'],
  ['test_com/foo', 'docker.io', 'test_com/foo', 'test_com/foo'],
  ['test-com:8080/foo', 'test-com:8080', 'foo', 'test-com:8080/foo'],
  ['xn--n3h.com/foo', 'xn--n3h.com', 'foo', 'xn--n3h.com/foo'],
  ['a---b/c__d', 'docker.io', 'a---b/c__d', 'a---b/c__d'],
  ['d/e.f_g', 'docker.io', 'd/e.f_g', 'd/e.f_g'],
  [`temp@${SHA256}`, 'docker.io', 'library/temp', `temp@${SHA256}`],
  [`temp@${SHA512}`, 'docker.io', 'library/temp', `temp@${SHA512}`],
  [`temp:1@${SHA256}`, 'docker.io', 'library/temp', `temp:1@${SHA256}`],
  [`localhost:5000/a:1@${SHA256}`, 'localhost:5000', 'a', `localhost:5000/a:1@${SHA256}`],
  [HEX.slice(1), 'docker.io', `library/${HEX.slice(1)}`, HEX.slice(1)],
  [`${HEX}:1`, 'docker.io', `library/${HEX}`, `${HEX}:1`],
  [`docker.io/${HEX}:1`, 'docker.io', `library/${HEX}`, `${HEX}:1`],
  [`x/${HEX}`, 'docker.io', `x/${HEX}`, `x/${HEX}`],
  ['temp:1/a', 'temp:1', 'a', 'temp:1/a'],
  // Docker asks for a digest first; a reader of references alone sees a name and a tag.
  [SHA256, 'docker.io', 'library/sha256', SHA256],
  // The limit is on the path, with "library/" and without the host.
  ['a'.repeat(247), 'docker.io', `library/${'a'.repeat(247)}`, 'a'.repeat(247)],
  [`x/${'a'.repeat(253)}`, 'docker.io', `x/${'a'.repeat(253)}`, `x/${'a'.repeat(253)}`],
  [`localhost/${'a'.repeat(255)}`, 'localhost', 'a'.repeat(255), `localhost/${'a'.repeat(255)}`],
];

describe('a reference', () => {
  test.each(GOOD)('%s is read as docker reads it', (text, domain, path, familiar) => {
    const reference = parseReference(text);
    expect(reference).toMatchObject({ domain, path });
    expect(familiarReference(reference)).toBe(familiar);
    expect(normalizedReference(reference)).toBe(`${domain}/${path}${text.slice(suffixStart(text))}`);
    expect(isReference(text)).toBe(true);
  });

  test('comes apart into domain, path, tag and digest, each only where it was named', () => {
    expect(parseReference('temp')).toStrictEqual({ domain: 'docker.io', path: 'library/temp' });
    expect(parseReference(`localhost:5000/a:1@${SHA256}`)).toStrictEqual({
      domain: 'localhost:5000',
      path: 'a',
      tag: '1',
      digest: SHA256,
    });
  });
});

describe('not a reference', () => {
  test.each([
    ['nothing', ''],
    ['a tag alone', ':1'],
    ['a trailing colon', 'temp:'],
    ['a trailing colon after a path', 'a/b:'],
    ['a trailing at sign', 'temp@'],
    ['a tag and a trailing at sign', 'temp:1@'],
    ['two tags', 'temp:1:2'],
    ['a tag that begins with a dash', 'temp:-1'],
    ['a tag that begins with a dot', 'temp:.1'],
    ['a tag with a space', 'temp:a b'],
    ['a tag of 129 characters', `temp:${'a'.repeat(129)}`],
    ['a leading slash', '/a'],
    ['a trailing slash', 'a/'],
    ['a host alone', 'localhost/'],
    ['a double slash', 'a//b'],
    ['a double slash after the host', 'docker.io//a'],
    ['three slashes', 'docker///docker'],
    ['64 hex digits: an image ID', HEX],
    ['a short digest', 'temp@sha256:abc'],
    ['a digest with upper-case hex', `temp@sha256:${HEX.toUpperCase()}`],
    ['a digest of an unknown algorithm', `temp@md5:${HEX.slice(32)}`],
    ['a sha384 digest, though docker reads it: no such blob is read here', `temp@sha384:${'a'.repeat(96)}`],
    ['a tag after the digest', `temp@${SHA256}:1`],
    ['two digests', `temp@${SHA256}@${SHA256}`],
    ['upper case', 'Temp'],
    ['upper case after the namespace', 'docker/Docker'],
    ['upper case after the host', 'example.com/A'],
    ['a leading dash', '-docker/docker'],
    ['a trailing dash', 'docker-/docker'],
    ['a leading underscore', '_docker'],
    ['a trailing underscore', 'docker_/x'],
    ['two dots', 'dock..er/docker'],
    ['three underscores', 'dock___er/docker'],
    ['mixed separators', 'dock_.er/docker'],
    ['a host with a leading dash', '-docker.io/a'],
    ['a host with a trailing dash', 'example-.com/a'],
    ['a host with two dots', 'example..com/a'],
    ['a host with a leading dot', '.com/a'],
    ['a host with a trailing dot', 'com./a'],
    ['an empty port', 'example.com:/a'],
    ['a port that is no number', 'example.com:port/a'],
    ['an IPv6 host without brackets', 'fc00::1:5000/a'],
    ['an IPv6 host alone', '[fc00::1]:5000'],
    ['an IPv6 host with a zone', '[fe80::1%eth0]:5000/a'],
    ['an IPv6 host that ends in IPv4', '[2001:db8:3:4::192.0.2.33]:5000/a'],
    ['an empty IPv6 host', '[]/a'],
    ['an open bracket', '[fc00::1/a'],
    ['a URL', 'https://github.com/docker/docker'],
    ['a transport', 'docker://temp'],
    ['a trailing space', 'temp '],
    ['a line break', 'temp\n'],
    ['a NUL', 'temp\0'],
    ['an accent', 'tëmp'],
    ['an accent in the tag', 'temp:é'],
    ['a host that is not in ASCII', 'пример.рф/a'],
    ['a full-width letter', 'ｔemp'],
    ['a Kelvin sign, which is "k" in lower case', '\u212A/a'],
    ['a zero-width space', 'temp\u200B'],
    ['a way up', '../temp'],
    ['a way up in the middle', 'a/../b'],
    ['a dot for the folder', './a'],
    ['a home folder', '~/a'],
    ['a path of 256 characters with "library/"', 'a'.repeat(248)],
    ['a path of 256 characters after a host', `localhost/${'a'.repeat(256)}`],
  ])('%s', (_, text) => {
    expect(isReference(text)).toBe(false);
    thrown('USAGE', () => parseReference(text));
  });

  test.each([
    ['Temp', true],
    ['example.com/A:1', true],
    [`temp@sha256:${HEX.toUpperCase()}`, true],
    ['temp:', false],
    ['TEMP:', false],
  ])('%s fails with a hint at lower case: %s', (text, hinted) => {
    expect(thrown('USAGE', () => parseReference(text)).hint !== undefined).toBe(hinted);
  });

  test('a huge one does not make a huge error', () => {
    expect(thrown('USAGE', () => parseReference('a'.repeat(1_000_000))).message.length).toBeLessThan(400);
  });
});

test.each([
  ['temp', 'temp:latest'],
  ['docker.io/library/temp:latest', 'temp:latest'],
  ['temp:1', 'temp:1'],
  [`temp@${SHA256}`, `temp@${SHA256}`],
  ['localhost:5000/a', 'localhost:5000/a:latest'],
])('the name %s is %s', (text, name) => {
  expect(normalizeName(text)).toBe(name);
  expect(normalizeName(name)).toBe(name);
});

test.each([
  [SHA256, true],
  [SHA512, true],
  ['sha256:latest', true],
  ['sha256:1a3f5e7', true],
  [`docker.io/library/${SHA256}`, true],
  [`docker.io/${SHA256}`, true],
  [`index.docker.io/library/${SHA256}`, true],
  [HEX, true],
  ['sha256', false],
  ['app/sha256:1', false],
  [`registry.example/${SHA256}`, false],
  [`app:${HEX}`, false],
  ['1a3f5e7d9c1b', false],
])('%s reads as a digest: %s', (text, expected) => {
  expect(readsAsDigest(text)).toBe(expected);
  if (expected) expect(taggedName(text)).toBe(undefined);
});

test('a name without a tag does not become one that reads as a digest', () => {
  expect(taggedName('sha256')).toBe(undefined);
  expect(taggedName('docker.io/library/sha512')).toBe(undefined);
});

test('a familiar repository is without tag and digest', () => {
  expect(familiarRepository(parseReference(`docker.io/library/temp:1@${SHA256}`))).toBe('temp');
});

test.each([
  [SHA256, true],
  [HEX, true],
  ['sha256:1a3f5e7', true],
  ['sha256:1a3f5e', false],
  ['1a3f5e7d9c1b', true],
  ['1a3f5e7d9c1', false],
  [`${HEX}0`, false],
  [HEX.toUpperCase(), false],
  ['deadbeefcafe:1', false],
  ['temp', false],
])('%s looks like an image ID: %s', (text, expected) => {
  expect(looksLikeImageId(text)).toBe(expected);
});

const atom = fc.stringMatching(/^[a-z0-9]{1,6}$/);
const part = fc
  .tuple(atom, fc.constantFrom('.', '_', '__', '-', '--'), atom)
  .map((pieces) => pieces.join(''));
const path = fc.array(fc.oneof(atom, part), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const domain = fc.constantFrom(
  'docker.io',
  'localhost',
  'localhost:5000',
  'example.com',
  'HOST',
  '[fc00::1]:5000',
);
const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/);
const references = fc
  .tuple(domain, path, fc.option(tag), fc.constantFrom(null, SHA256, SHA512))
  .map(([host, repository, name, digest]) =>
    [`${host}/${repository}`, name === null ? '' : `:${name}`, digest === null ? '' : `@${digest}`].join(''),
  );

describe('any reference', () => {
  test('in its full form reads as the same reference', () => {
    fc.assert(
      fc.property(references, (text) => {
        const reference = parseReference(text);
        expect(parseReference(normalizedReference(reference))).toEqual(reference);
      }),
    );
  });

  test('in its familiar form reads as the same reference, unless its path begins like a host', () => {
    fc.assert(
      fc.property(references, (text) => {
        const reference = parseReference(text);
        const first = reference.path.slice(0, Math.max(reference.path.indexOf('/'), 0));
        fc.pre(!(reference.domain === 'docker.io' && (first.includes('.') || first === 'localhost')));
        expect(parseReference(familiarReference(reference))).toEqual(reference);
      }),
    );
  });

  test('has a tag or a digest with the default tag, and keeps what it has', () => {
    fc.assert(
      fc.property(references, (text) => {
        const reference = parseReference(text);
        const tagged = withDefaultTag(reference);
        expect(tagged.tag ?? tagged.digest).toBeDefined();
        expect(withDefaultTag(tagged)).toEqual(tagged);
        if (reference.tag !== undefined || reference.digest !== undefined) expect(tagged).toEqual(reference);
      }),
    );
  });

  test('or other text is either read or refused with USAGE', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^[aA.:/@[\]_-]{0,12}$/)),
        (text) => {
          if (!isReference(text)) thrown('USAGE', () => parseReference(text));
        },
      ),
    );
  });
});

// As in docker, whose familiar form of this is read as a repository on another host.
test('docker.io loses its mention before a path that begins like a host', () => {
  expect(familiarReference(parseReference('docker.io/foo.bar/a'))).toBe('foo.bar/a');
  expect(parseReference('foo.bar/a').domain).toBe('foo.bar');
});

/** Where the tag or the digest of a reference begins. */
function suffixStart(text: string): number {
  const name = /^(?:.*\/)?[^:@]*/.exec(text.split('@')[0] ?? '');
  return name?.[0].length ?? 0;
}

test.each(['https://me:planted@r.example/app', 'me:planted@r.example/app:1', 'planted@r.example/app'])(
  'what %s says of a password is not repeated',
  (text) => {
    expect(() => parseReference(text)).toThrow(/not an image reference: "(?:https:\/\/)?\*\*\*@r\.example/);
    expect(() => parseReference(text)).not.toThrow(/planted/);
  },
);
