import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const CLI = new URL('../../src/cli/', import.meta.url);
const WRITES = /\.write\(|console\.|createWriteStream\(|writeFile\(|appendFile\(/;
/** Lines of text; files; nothing else. */
const EXITS = ['output-file.ts', 'output.ts'];

test('text leaves the command line through one file, and files through another', () => {
  const files = readdirSync(CLI, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  expect(files).toEqual(expect.arrayContaining(EXITS));
  const writing = files.filter((file) => WRITES.test(readFileSync(new URL(file, CLI), 'utf8')));
  expect(writing.toSorted()).toEqual(EXITS);
});
