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
