import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';

const SRC = new URL('../../src/', import.meta.url);
/** Options, commands and variables of the command line. */
const WORDS = /--[a-z]|\bdrayage [a-z]+|\bDRAYAGE_GITLAB_/;
/** Options of other programs: docker's, behind ssh, zstd's and V8's. */
const FOREIGN = /^--host=$|zstd --long=|^--(?:semi-space-growth|heap-growing|optimize-for-size)/;

/** The texts in a source: of strings and templates, not of comments. */
function textsIn(source: string): string[] {
  const texts: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
      texts.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest, true));
  return texts;
}

function named(source: string): string[] {
  return textsIn(source).filter((text) => WORDS.test(text) && !FOREIGN.test(text));
}

test('the library never speaks in words of the command line: its callers do not know them', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('cli/'),
  );
  expect(files.length).toBeGreaterThan(100);
  const found = files.flatMap((file) =>
    named(readFileSync(new URL(file, SRC), 'utf8')).map((text) => `${file}: ${text}`),
  );
  expect(found).toEqual([]);
});

/** What asks a person to remove something: it may be theirs, and there is a way that keeps it. */
const REMOVAL = /(?:^|[;:,] |\bor )(?:remove|delete|erase|empty|rm) (?:it|this|that|what|the|them|-r)\b/i;

test('no text asks a person to remove what is theirs', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
    // What an option of prune or unload does is removal.
    (file) => file.endsWith('.ts') && !file.startsWith('cli/grammar/'),
  );
  const texts = files.flatMap((file) =>
    textsIn(readFileSync(new URL(file, SRC), 'utf8')).map((text) => `${file}: ${text}`),
  );
  expect(texts.filter((text) => REMOVAL.test(text.slice(text.indexOf(': ') + 2)))).toEqual([]);
});

test.each([
  'remove it: nothing is read or written through links',
  'choose another folder, or empty this one',
  'remove what this job did not make',
  'the blobs are unknown: remove the entry, then prune',
])('such texts are found: %s', (text) => {
  expect(REMOVAL.test(text)).toBe(true);
});

test.each([
  `const hint = 'choose one with --image';`,
  'const hint = `name it: --env ${key}=IMAGE`;',
  'const hint = `${what}; or set --level`;',
  `const hint = 'drayage inspect lists the images';`,
  `const hint = 'set DRAYAGE_GITLAB_TOKEN';`,
])('such words are found: %s', (source) => {
  expect(named(source)).toHaveLength(1);
});

test.each([
  `// as --thin says`,
  `/** drayage save */`,
  `const name = 'drayage-lease';`,
  `const option = '--';`,
])('these are none: %s', (source) => {
  expect(named(source)).toEqual([]);
});
