import { describe, expect, test } from 'vitest';
import { isBelow, Mounts } from '../../src/disk/mounts.ts';

/** Lines of `/proc/self/mountinfo`, as a container has them whose workspace is a volume. */
const LINES = [
  '619 508 0:98 / / rw,relatime - overlay overlay rw,lowerdir=/a,upperdir=/b',
  '640 619 259:1 /volumes/build/_data /builds rw,relatime - ext4 /dev/root rw',
  '641 619 259:1 /volumes/build/_data/group/app/keys /keys ro,relatime - ext4 /dev/root rw',
  '642 619 259:1 /volumes/build/_data/group/app/one.pub /etc/one.pub ro,relatime - ext4 /dev/root rw',
  '643 619 259:1 /volumes/build/_data/group/app /all\\040of\\040it rw,relatime - ext4 /dev/root rw',
  '644 619 259:1 /volumes/other/_data /other rw,relatime - ext4 /dev/root rw',
  '645 619 0:99 / /memory rw,relatime - tmpfs tmpfs rw',
  '646 619 259:1 /volumes/build/_data/group/app /hidden rw,relatime - ext4 /dev/root rw',
  '647 646 0:97 / /hidden rw,relatime - tmpfs tmpfs rw',
  '',
];
const mounts = Mounts.parse(LINES.join('\n'));
const WORKSPACE = '/builds/group/app';

describe('a path is in the workspace', () => {
  test.each([
    ['by its own name', '/builds/group/app/key.pub'],
    ['through a mount of a folder in it', '/keys/key.pub'],
    ['as a mount of the file alone', '/etc/one.pub'],
    ['through a mount of all of it, whose path has spaces', '/all of it/key.pub'],
  ])('%s', (_, path) => {
    expect(mounts.isIn(path, WORKSPACE)).toBe(true);
  });
});

describe('a path is elsewhere', () => {
  test.each([
    ['beside the workspace', '/builds/group/app.tmp/KEY'],
    ['above it', '/builds/group'],
    ['in another volume of the device', '/other/group/app/key.pub'],
    ['on another device', '/memory/builds/group/app/key.pub'],
    ['in the image of the container', '/etc/two.pub'],
    ['in a mount that hides another one', '/hidden/key.pub'],
  ])('%s', (_, path) => {
    expect(mounts.isIn(path, WORKSPACE)).toBe(false);
  });

  test('where the system lists no mounts', () => {
    expect(Mounts.parse('').isIn('/builds/group/app/key.pub', WORKSPACE)).toBe(false);
  });
});

test('the mounts of this process lead to its folders', async () => {
  const own = await Mounts.read();
  expect(own.isIn('/proc/self', '/proc')).toBe(process.platform === 'linux');
});

test.each([
  ['/a/b', '/a', true],
  ['/a', '/a', true],
  ['/ab', '/a', false],
  ['/a', '/', true],
])('by spelling, %s is in %s: %s', (path, folder, expected) => {
  expect(isBelow(path, folder)).toBe(expected);
});

/** Mounts as `id parent device root at`. */
function mountsOf(...lines: string[]): Mounts {
  return Mounts.parse(lines.map((line) => `${line} rw - type source rw`).join('\n'));
}

describe('of mounts that hide others, the one counts that is seen:', () => {
  const base = ['1 0 8:1 / /', '9 1 8:2 /ws /builds'];
  test.each<[string, boolean, string[]]>([
    ['a mount hidden by a later one above it', false, ['2 1 8:2 /ws /keys/in', '3 1 8:3 / /keys']],
    ['the same in another order of lines', false, ['3 1 8:3 / /keys', '2 1 8:2 /ws /keys/in']],
    ['a later one above it that shows the workspace', true, ['2 1 8:3 / /keys/in', '3 1 8:2 /ws /keys']],
    ['a mount on the later one', true, ['2 1 8:3 / /keys', '3 2 8:2 /ws /keys/in']],
    ['the upper one of two at one path', true, ['2 1 8:3 / /keys/in', '3 2 8:2 /ws /keys/in']],
    ['the lower one of two at one path', false, ['2 1 8:2 /ws /keys/in', '3 2 8:3 / /keys/in']],
    ['a mount on the upper one', true, ['2 1 8:3 / /keys', '3 2 8:4 / /keys', '4 3 8:2 /ws /keys/in']],
    ['a mount on the lower one', false, ['2 1 8:3 / /keys', '4 2 8:2 /ws /keys/in', '3 2 8:4 / /keys']],
    ['a volume that is also mounted in the workspace', true, ['2 9 8:5 / /builds/v', '3 1 8:5 / /keys']],
    [
      'one whose mount there is hidden',
      false,
      ['2 9 8:5 / /builds/a/b', '4 9 8:6 / /builds/a', '3 1 8:5 / /keys'],
    ],
  ])('%s: %s', (_, expected, lines) => {
    expect(mountsOf(...base, ...lines).isIn('/keys/in/key.pub', '/builds')).toBe(expected);
  });

  test.each([
    ['is on itself', '1 1 8:1 / /'],
    ['is not listed, as in a chroot', ''],
  ])('and the root folder %s', (_, root) => {
    const found = mountsOf(root, '9 1 8:2 /ws /builds', '2 1 8:2 /ws /keys');
    expect(found.isIn('/keys/key.pub', '/builds')).toBe(true);
    expect(found.isIn('/etc/key.pub', '/builds')).toBe(false);
  });
});
