import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);

test.each(['docs/threat-model.md', 'docs/reliability.md', 'docs/architecture.md'])(
  'every test that %s names exists',
  (file) => {
    const text = readFileSync(new URL(file, ROOT), 'utf8');
    const named = [...text.matchAll(/`(test\/[\w./-]+)`/g)].flatMap(([, path]) => path ?? []);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
  },
);

test.each(['docs/threat-model.md', 'docs/reliability.md'])('every promise of %s names its test', (file) => {
  const text = readFileSync(new URL(file, ROOT), 'utf8').split('\n## Open')[0] ?? '';
  const rows = text.split('\n').filter((line) => /^\| .*\|$/.test(line) && !line.startsWith('| -'));
  const promises = rows.slice(rows.findIndex((line) => /held by/.test(line)) + 1);
  expect(promises.length).toBeGreaterThan(10);
  expect(promises.filter((line) => !line.includes('`test/'))).toEqual([]);
});
