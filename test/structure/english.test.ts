import { readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);

/** Phrases that make a reader go back to the start of the sentence. CONTRIBUTING says what to write instead. */
const PHRASES = [
  'anew',
  'are to be',
  'as far as it',
  'but for',
  'is none of',
  'is none the',
  'is to be',
  'lives on',
  'none that',
  'of which',
  'to be had',
  'turned away',
  'was to be',
  'what became of',
  'what came of',
  'where it has none',
  'where there is none',
];
const TELL_TALE = new RegExp(`\\b(?:${PHRASES.join('|')})\\b`, 'gi');

/** What is checked. */
const CHECKED = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'RELEASING.md',
  'docs',
  'templates',
  'scripts',
  'src',
];

describe('plain technical English', () => {
  test.each(CHECKED)('%s has no tell-tale phrase', (path) => {
    expect(filesBelow(path).flatMap((file) => findings(file, read(file)))).toEqual([]);
  });

  test('finds a phrase that a line break or a comment mark divides', () => {
    expect(findings('a.ts', '/**\n * One that is none\n * of these, what\n * came of it.\n */')).toEqual([
      'a.ts:2: is none of',
      'a.ts:3: what came of',
    ]);
    expect(findings('b.md', '> to be\n> had')).toEqual(['b.md:1: to be had']);
    expect(findings('c.ts', "'all but ' +\n  'for this'")).toEqual(['c.ts:1: but for']);
  });
});

/** Every tell-tale phrase of a text, as `file:line: phrase`. */
function findings(file: string, text: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/^[\s*/#>'`]+/, '').replace(/[\s'`+]+$/, ''));
  const joined = lines.join(' ');
  return [...joined.matchAll(TELL_TALE)].map(({ 0: phrase, index }) => {
    let end = 0;
    const line = lines.findIndex((part) => (end += part.length + 1) > index);
    return `${file}:${line + 1}: ${phrase.toLowerCase()}`;
  });
}

function filesBelow(path: string): string[] {
  if (statSync(new URL(path, ROOT)).isFile()) return [path];
  const names = readdirSync(new URL(`${path}/`, ROOT), { recursive: true, encoding: 'utf8' });
  return names.map((name) => `${path}/${name}`).filter((file) => statSync(new URL(file, ROOT)).isFile());
}

function read(file: string): string {
  return readFileSync(new URL(file, ROOT), 'utf8');
}
