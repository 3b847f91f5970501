import { expect, test } from 'vitest';
import { addImage } from '../../src/listing/entries.ts';
import { EntryList } from '../../src/listing/entry-list.ts';
import { nameAnnotations } from '../../src/listing/names.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';

function manifest(text: string): Descriptor {
  return { mediaType: OCI_MANIFEST, digest: digestOf(Buffer.from(text)), size: text.length };
}

/** Entries that count each look at what they say, and that count. */
function counted(descriptors: readonly Descriptor[]): { entries: Descriptor[]; looks: () => number } {
  let looks = 0;
  const entries = descriptors.map(({ annotations, ...rest }) => ({
    ...rest,
    get annotations() {
      looks += 1;
      return annotations;
    },
  }));
  return { entries, looks: () => looks };
}

const NUMBERS = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

test.each<[string, (list: EntryList, n: number) => void]>([
  ['other images', (list, n) => NUMBERS(n).forEach((i) => list.add(manifest(`new ${i}`), [`new:${i}`], {}))],
  ['the same images', (list, n) => NUMBERS(n).forEach((i) => list.add(manifest(`${i}`), [`app:${i}`], {}))],
  [
    'one image under n names',
    (list, n) =>
      list.add(
        manifest('new'),
        NUMBERS(n).map((i) => `app:${i}`),
        {},
      ),
  ],
  ['one image n times', (list, n) => NUMBERS(n).forEach((i) => list.add(manifest('0'), [`app:${i}`], {}))],
  ['no image: n are removed', (list, n) => NUMBERS(n).forEach((i) => list.remove({ name: `app:${i}` }))],
])('adding %s to n entries looks at each as often for n as for 2n', (_what, change) => {
  const cost = (n: number): number => {
    const { entries, looks } = counted(
      NUMBERS(n).map((i) => ({ ...manifest(`${i}`), annotations: nameAnnotations(`app:${i}`) })),
    );
    const list = new EntryList(entries);
    change(list, n);
    expect(list.entries.length).toBeLessThanOrEqual(2 * n);
    return looks();
  };
  const [once, twice] = [cost(100), cost(200)];
  expect(once).toBeGreaterThan(0);
  expect(twice).toBeLessThanOrEqual(2 * once + 50);
});

test('changes in one list give what changes in one list after the other give', () => {
  const changes: [Descriptor, string[], Record<string, string>][] = [
    [manifest('a'), ['app:1', 'app:2'], { x: '1' }],
    [manifest('b'), ['app:2'], {}],
    [manifest('c'), [], {}],
    [manifest('c'), [], { y: '2' }],
    [{ ...manifest('d'), platform: { os: 'linux', architecture: 'arm64' } }, ['app:1'], {}],
    [{ ...manifest('e'), platform: { os: 'linux', architecture: 'amd64' } }, ['app:1'], {}],
    [manifest('a'), ['app:1'], { 'dev.drayage.omitted-layers': '1' }],
    [manifest('c'), ['app:3'], {}],
    [manifest('b'), ['app:2'], { x: '3' }],
  ];
  const list = new EntryList([]);
  let entries: Descriptor[] = [];
  for (const change of changes) {
    list.add(...change);
    entries = addImage(entries, ...change);
    expect(list.entries).toEqual(entries);
  }
  expect(entries.map(({ digest }) => digest)).toEqual(['b', 'a', 'c'].map((text) => manifest(text).digest));
});

test("an image that is added states the same in its entry with another tool's word, which stays", () => {
  const foreign = (word: string): Descriptor => ({
    ...manifest('a'),
    annotations: { 'org.opencontainers.image.ref.name': word, old: '1' },
  });
  const signature = { ...foreign(`sha256-${'a'.repeat(64)}.sig`), ...manifest('b') };
  const list = new EntryList([foreign('latest'), signature]);
  list.add(manifest('a'), ['app:1'], { x: '1' });
  list.add(manifest('b'), [], {});
  const [first, , third] = list.entries;
  expect(first?.annotations).toEqual({ 'org.opencontainers.image.ref.name': 'latest', x: '1' });
  expect(third?.annotations).toEqual({ ...nameAnnotations('app:1'), x: '1' });
  expect(list.entries).toContainEqual(signature);
  const unnamed = new EntryList([foreign('latest')]);
  unnamed.add(manifest('a'), [], { x: '1' });
  expect(unnamed.entries).toEqual([first]);
});
