import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellWord, shellWords } from '../../src/text/shell-word.ts';

test.each([
  'app:1',
  'a b',
  "it's",
  '$(touch x)',
  '`x`',
  'a;b|c&d',
  '"',
  '\\',
  '*',
  '~',
  '#',
  '!x',
  '',
  'größe',
])('a shell reads the word of %j as that', (text) => {
  const output = execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' });
  expect(output).toBe(text);
});

test('a list of names leaves out those that are not seen', () => {
  expect(shellWords(['app:1', 'a b', 'x\u001B[2J'])).toBe("app:1, 'a b'");
});
