import { expect, test } from 'vitest';
import { isPrintable, printable } from '../../src/text/printable.ts';

test.each([
  ['\u001B]0;title\u0007\u001B[2J', String.raw`\u001b]0;title\u0007\u001b[2J`],
  ['\u009B31m\u0085\u007F', String.raw`\u009b31m\u0085\u007f`],
  ['a\r\nsection_start:1:x\t', String.raw`a\u000d\u000asection_start:1:x\u0009`],
  ['\u202Egnp.exe\u202C\u2066\u2069', String.raw`\u202egnp.exe\u202c\u2066\u2069`],
  ['\u200E\u200F\u061C\u200B\uFEFF', String.raw`\u200e\u200f\u061c\u200b\ufeff`],
  ['\u2028\u2029', String.raw`\u2028\u2029`],
  ['\u{E0041}', String.raw`\udb40\udc41`],
  ['a\uD800b', String.raw`a\ud800b`],
  ['a\u034F\u115F\u3164\uFE0F\uFFA0', String.raw`a\u034f\u115f\u3164\ufe0f\uffa0`],
  ['\u{E0100}\uFFFE', String.raw`\udb40\udd00\ufffe`],
])('%j is written so that each character is seen', (text, written) => {
  expect(printable(text)).toBe(written);
  expect(isPrintable(text)).toBe(false);
});

test.each(['app:1', 'größer → 大', '😀', String.raw`C:\u001b`, ''])('%j stays as it is', (text) => {
  expect(printable(text)).toBe(text);
  expect(isPrintable(text)).toBe(true);
});

test('a JSON document means the same afterwards', () => {
  const value = { 'k\u202E': '\u0000\u001B\u009B\u2066\u{E0041}\uD800é' };
  const document = printable(JSON.stringify(value));
  expect(isPrintable(document)).toBe(true);
  expect(JSON.parse(document)).toEqual(value);
});
