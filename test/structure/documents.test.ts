import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const DOCUMENTS = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(new URL('docs/', ROOT)).map((name) => `docs/${name}`),
];

describe('the documents', () => {
  test.each(DOCUMENTS)('%s links to files and headings that exist', (file) => {
    expect(brokenLinks(file)).toEqual([]);
  });

  test('stop at a file that fails its check: a shell goes on after a failure inside a list', () => {
    const checks = DOCUMENTS.flatMap((file) => read(file).match(/^.*sha256sum -c.*$/gm) ?? []);
    expect(checks.length).toBeGreaterThan(5);
    expect(checks.filter((line) => line.includes('&&') && !line.endsWith('|| exit 1'))).toEqual([]);
  });
});

function brokenLinks(file: string): string[] {
  const links = [...read(file).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links.filter((link) => {
    const [path = '', heading] = link.split('#');
    const target = path === '' ? new URL(file, ROOT) : new URL(path, new URL(file, ROOT));
    if (!existsSync(target)) return true;
    return heading !== undefined && !headingsOf(readFileSync(target, 'utf8')).includes(heading);
  });
}

/** The anchors of a document's headings, as GitLab and GitHub make them. */
function headingsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

function read(file: string): string {
  return readFileSync(new URL(file, ROOT), 'utf8');
}
