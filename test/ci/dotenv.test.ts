import { expect, test } from 'vitest';
import { formatDotenvReport, formatVariables } from '../../src/ci/dotenv.ts';
import { gitlab } from '../../src/ci/gitlab/gitlab.ts';
import type { ImageVariables, Variable } from '../../src/ci/variables.ts';

const LIMITS = gitlab.dotenvLimits;

function variables(count: number, suffix: string, value = 'x'): Variable[] {
  return Array.from({ length: count }, (_, i) => ({ key: `DRAYAGE_A${i}_${suffix}`, value }));
}

function ofImages(count: number, value?: string): ImageVariables {
  return {
    references: variables(count, 'REF', value),
    ids: variables(count, 'ID', value),
    digests: variables(count, 'DIGEST', value),
  };
}

/** How many of each kind a report holds. */
function kept(text: string): Record<string, number> {
  const kinds = { REF: 0, ID: 0, DIGEST: 0 };
  for (const key of ['REF', 'ID', 'DIGEST'] as const) kinds[key] = text.split(`_${key}=`).length - 1;
  return kinds;
}

test('a report is lines of KEY=value', () => {
  expect(formatDotenvReport(ofImages(1), LIMITS).text).toBe(
    'DRAYAGE_A0_REF=x\nDRAYAGE_A0_ID=x\nDRAYAGE_A0_DIGEST=x\n',
  );
});

test.each([
  [6, { REF: 6, ID: 6, DIGEST: 6 }, 0],
  [7, { REF: 7, ID: 7, DIGEST: 0 }, 7],
  [10, { REF: 10, ID: 10, DIGEST: 0 }, 10],
  [11, { REF: 11, ID: 0, DIGEST: 0 }, 22],
  [20, { REF: 20, ID: 0, DIGEST: 0 }, 40],
])('of %i images the digests go first, then the IDs', (count, kinds, dropped) => {
  const report = formatDotenvReport(ofImages(count), LIMITS);
  expect(kept(report.text)).toEqual(kinds);
  expect(report.dropped).toBe(dropped);
});

test('21 references are over the limit', () => {
  expect(() => formatDotenvReport(ofImages(21), LIMITS)).toThrow(
    expect.objectContaining({ code: 'LIMIT' }) as Error,
  );
});

test('a report stays below 5120 bytes', () => {
  const line = 'DRAYAGE_A0_REF='.length + 1;
  const long = (size: number): ImageVariables => ({
    references: variables(1, 'REF', 'x'.repeat(size - line)),
    ids: [],
    digests: [],
  });
  expect(Buffer.byteLength(formatDotenvReport(long(5119), LIMITS).text)).toBe(5119);
  expect(() => formatDotenvReport(long(5120), LIMITS)).toThrow(
    expect.objectContaining({ code: 'LIMIT' }) as Error,
  );
  expect(kept(formatDotenvReport(ofImages(5, 'x'.repeat(400)), LIMITS).text)).toEqual({
    REF: 5,
    ID: 5,
    DIGEST: 0,
  });
});

test.each(['$CI_JOB_TOKEN', 'a b', '"a"', "'a'", 'a\nB=c', '', 'a#b', 'a\\b'])('%j is refused', (value) => {
  expect(() => formatVariables([{ key: 'A', value }])).toThrow(
    expect.objectContaining({ code: 'USAGE' }) as Error,
  );
});
