import * as v from 'valibot';
import { expect, test } from 'vitest';
import { match } from '../../src/oci/match.ts';

const text = v.string();
const number = v.number();

test.each<[string, v.GenericSchema<unknown, unknown>, unknown, string]>([
  [
    'a pattern',
    v.pipe(text, v.regex(/^(?:a | b){1,2}(c)$/)),
    'x',
    'it is "x", which does not match /^(?:a | b){1,2}(c)$/',
  ],
  [
    'a beginning',
    v.pipe(text, v.startsWith('refs/(x)')),
    'y',
    'it is "y", which does not begin with "refs/(x)"',
  ],
  ['a text too short', v.pipe(text, v.minLength(1)), '', 'its length is 0, not 1 or more'],
  ['a list too long', v.pipe(v.array(text), v.maxLength(1)), ['a', 'b'], 'its length is 2, not 1 or less'],
  ['a number too low', v.pipe(number, v.minValue(3)), 1, 'it is 1, not 3 or more'],
  ['a number too high', v.pipe(number, v.maxValue(3)), 10, 'it is 10, not 3 or less'],
  ['a fraction', v.pipe(number, v.safeInteger()), 1.5, 'it is 1.5, not a whole number'],
  ['a time', v.pipe(text, v.isoTimestamp()), 'soon', 'it is "soon", not a time'],
  ['base64', v.pipe(text, v.base64()), '?', 'it is "?", not base64'],
  ['a form without words', v.pipe(text, v.url()), '?', 'it is "?", not of the expected form'],
  ['a constant with parentheses', v.literal('(a)'), 'b', 'it is "b", not "(a)"'],
  ['choices', v.picklist(['a', 'b (c)']), 'd', 'it is "d", not "a" or "b (c)"'],
  ['types', v.union([text, number]), null, 'it is null, not a text or a number'],
  [
    'a key below',
    v.object({ a: v.array(v.pipe(text, v.regex(/^[(]$/))) }),
    { a: ['b'] },
    'a.0: it is "b", which does not match /^[(]$/',
  ],
])('%s is told in words, with what is expected as it is written', (_, schema, value, problem) => {
  expect(match(schema, value)).toEqual({ problem });
});

test.each<[string, v.GenericSchema<unknown, unknown>, unknown, string]>([
  ['a text', v.object({ a: v.object({}) }), { a: 'planted' }, 'a: it is a text, not an object'],
  ['a constant', v.literal('b'), 'planted', 'it is a text, not "b"'],
  ['a pattern', v.pipe(text, v.regex(/^b$/)), 'planted', 'it is a text, which does not match /^b$/'],
  ['a number', v.pipe(number, v.maxValue(3)), 4711, 'it is a number, not 3 or less'],
  ['a choice', v.picklist(['b', 'c']), true, 'it is true or false, not "b" or "c"'],
  ['nothing', number, null, 'it is null, not a number'],
  ['a length', v.pipe(text, v.maxLength(3)), 'planted', 'its length is 7, not 3 or less'],
])('%s that is secret is not quoted', (_, schema, value, problem) => {
  expect(match(schema, value, { isSecret: true })).toEqual({ problem });
});
