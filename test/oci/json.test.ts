import { describe, expect, test } from 'vitest';
import { MAX_DEPTH, parseIfJson, parseJson, parseSecretJson } from '../../src/oci/json.ts';
import { MAX_DOCUMENT_SIZE, statedMediaType } from '../../src/oci/parse.ts';
import { thrown } from './documents.ts';

describe('bytes that are not JSON', () => {
  test.each([
    ['nothing', ''],
    ['text', 'manifest'],
    ['a cut document', '{"a":1'],
    ['something after the document', '{} {}'],
    ['a comment', '{} // end'],
    ['a byte order mark, which docker does not read either', '\uFEFF{}'],
    ['NaN', '{"size":NaN}'],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['a surrogate encoded as UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['UTF-16', Buffer.from('{}', 'utf16le')],
    ['a NUL after the document', '{}\0'],
  ])('%s', (_, bytes) => {
    const error = thrown('MALFORMED', () => parseJson(Buffer.from(bytes), 'manifest.json'));
    expect(error.message).toBe('manifest.json is not JSON');
    expect(error.cause).toBeInstanceOf(Error);
  });
});

describe('a key twice in one object, of which parsers take either,', () => {
  test.each([
    ['one after the other', '{"a":1,"a":1}', 'a'],
    ['far apart, with a blank before the colon', '{"a":{"b":[1]},"c":2,"a" \t\r\n:3}', 'a'],
    ['once with an escape', String.raw`{"config":1,"confi\u0067":2}`, 'config'],
    ['inside an object of a list', '[1,{"x":[{"a":1,"b":"}","a":2}]}]', 'a'],
    ['that is empty', '{"":1,"":2}', ''],
    ['that could be a prototype', '{"__proto__":1,"__proto__":2}', '__proto__'],
    ['after a text with quotes and braces', String.raw`{"a":"\"}{\\","a":2}`, 'a'],
  ])('is refused %s', (_, text, key) => {
    const { message } = thrown('MALFORMED', () => parseJson(Buffer.from(text), 'm.json'));
    expect(message).toBe(`m.json has the key ${JSON.stringify(key)} twice in one object`);
  });

  test.each([
    '{"a":{"a":{"a":1}},"b":"a"}',
    '[{"a":1},{"a":1}]',
    '{"a":"b","b":"a"}',
    '{"a":["a","a"]}',
    '{"a":1,"A":2}',
  ])('is none in %s', (text) => {
    expect(parseJson(Buffer.from(text), 'm.json')).toEqual(JSON.parse(text));
  });
});

describe('half a surrogate pair, which Go replaces,', () => {
  test.each([
    String.raw`"\ud800"`,
    String.raw`{"a":"x\udc00x"}`,
    String.raw`{"a\ud800":1,"a\ud801":2}`,
    String.raw`["\udc00\ud800"]`,
  ])('is refused: %s', (text) => {
    expect(thrown('MALFORMED', () => parseJson(Buffer.from(text), 'x')).message).toContain('surrogate');
  });

  test('is none in a whole pair', () => {
    expect(parseJson(Buffer.from(String.raw`{"\ud83d\ude00":"\ud83d\ude00"}`), 'x')).toEqual({ '😀': '😀' });
  });
});

describe('a number that Go refuses, because it is beyond all limits or not written whole,', () => {
  test.each(['1e999', '-1e999', '{"size":1e400}', `[${'9'.repeat(400)}]`])('is refused: %s', (text) => {
    expect(thrown('MALFORMED', () => parseJson(Buffer.from(text), 'x')).message).toContain(
      'has a number that docker does not read',
    );
  });

  test.each([
    '{"size":681.0}',
    '{"size": 1e3}',
    '{"manifests":[{"size"\t:1E0}]}',
    String.raw`{"s\u0069ze":2.0}`,
    '{"schemaVersion":2.0}',
    '{"a":[{}],"schemaVersion":2e0}',
  ])('is refused where docker reads whole numbers only: %s', (text) => {
    const { message } = thrown('MALFORMED', () => parseJson(Buffer.from(text), 'm.json'));
    expect(message).toMatch(/^m\.json has a number that docker does not read: [\d.]+/);
  });

  test.each([
    '{"size":681,"a":1.0}',
    '{"size":-0}',
    '[{"size":1},2.0]',
    '{"size":"1.0","a":[2.0]}',
    '["size",1.0]',
    '{"size":{"a":1e3},"b":1e3}',
    '{"a":"size","b":1.0}',
  ])('stays as it is where none is a size: %s', (text) => {
    expect(parseJson(Buffer.from(text), 'm.json')).toEqual(JSON.parse(text));
  });

  test.each(['1e308', '-0', '1e-999', '{"a":"1e999","1e999":[0.5,-1E+3]}'])('is none in %s', (text) => {
    expect(parseJson(Buffer.from(text), 'x')).toEqual(JSON.parse(text));
  });

  test.each(['-', '1.2.3', '[1-]', '+1', '.5', '01', '1e'])('is none in what is no number: %s', (text) => {
    expect(thrown('MALFORMED', () => parseJson(Buffer.from(text), 'x')).message).toBe('x is not JSON');
  });
});

const lists = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('nesting', () => {
  test.each([
    ['lists', lists],
    ['objects', (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`],
  ])('of %s is limited', (_, nested) => {
    expect(parseJson(Buffer.from(nested(MAX_DEPTH)), 'x')).toBeDefined();
    const { message } = thrown('LIMIT', () => parseJson(Buffer.from(nested(MAX_DEPTH + 1)), 'x'));
    expect(message).toBe('x is nested deeper than the limit of 100 levels');
  });

  test('is refused before anything is built of it', () => {
    const half = MAX_DOCUMENT_SIZE / 2;
    thrown('LIMIT', () => parseJson(Buffer.from(lists(half)), 'x'));
    thrown('LIMIT', () => parseJson(Buffer.from('['.repeat(half)), 'x'));
  });

  test('counts no brackets inside texts', () => {
    const text = JSON.stringify({ a: '[{"'.repeat(200) });
    expect(parseJson(Buffer.from(text), 'x')).toEqual(JSON.parse(text));
  });

  test('may have a lower limit', () => {
    thrown('LIMIT', () => parseJson(Buffer.from(lists(3)), 'x', { depth: 2 }));
  });
});

describe('what may be JSON', () => {
  test('is nothing where it is not', () => {
    expect(parseIfJson(Buffer.from('text'), 'x')).toBeUndefined();
    expect(parseIfJson(Buffer.from([0x22, 0xff]), 'x')).toBeUndefined();
    expect(parseIfJson(Buffer.from('{"a":1}'), 'x')).toEqual({ a: 1 });
  });

  test('is refused where it is JSON that parsers read differently', () => {
    thrown('MALFORMED', () => parseIfJson(Buffer.from('{"a":1,"a":2}'), 'x'));
  });
});

describe('JSON that holds secrets', () => {
  test('is parsed', () => {
    expect(parseSecretJson(Buffer.from('{"a":1}'), 'x')).toEqual({ a: 1 });
  });

  test.each([
    ['a word in it', '{"a":planted}', 'is not JSON'],
    ['that is cut', '{"a":"planted', 'is not JSON'],
    ['an unknown escape', String.raw`{"a":"planted\q"}`, 'is not JSON'],
    ['a key twice', '{"planted":1,"planted":2}', 'has a key twice, or is nested too deeply'],
    ['deep nesting', `${'['.repeat(101)}"planted"`, 'has a key twice, or is nested too deeply'],
  ])('is not quoted, also not by a cause: %s', (_, bytes, problem) => {
    const error = thrown('MALFORMED', () => parseSecretJson(Buffer.from(bytes), 'x', { hint: 'ask' }));
    expect([error.message, error.hint, error.cause]).toEqual([`x ${problem}`, 'ask', undefined]);
  });
});

describe('the media type that a document states', () => {
  test.each([
    ['{"mediaType":"a/b"}', 'a/b'],
    ['{"mediaType":""}', undefined],
    ['{"mediaType":1}', undefined],
    ['[]', undefined],
    ['not JSON', undefined],
  ])('of %s is %s', (text, type) => {
    expect(statedMediaType(Buffer.from(text))).toBe(type);
  });

  test('is refused where parsers disagree about it', () => {
    thrown('MALFORMED', () => statedMediaType(Buffer.from('{"mediaType":"a/b","mediaType":"c/d"}')));
  });
});
