import { expect, test } from 'vitest';
import { noteUnread } from '../../src/listing/unread.ts';

test.each([
  ['an object', {}],
  ['a list', ['app:1']],
])('the line about an entry does not go through all of its annotations, which are %s', (_, annotations) => {
  let passes = 0;
  const counted = new Proxy<object>(annotations, {
    ownKeys: (target) => {
      passes += 1;
      return Reflect.ownKeys(target);
    },
  });
  const line = noteUnread({ digest: 'blake3:aa', annotations: counted });
  expect(line).toBe('(no name) blake3:aa is skipped: its digest algorithm is unknown');
  expect(passes).toBe(0);
});
