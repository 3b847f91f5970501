import { expect, test } from 'vitest';
import { storeOf } from '../../../src/docker/kinds/kinds.ts';

const CONTAINERD = 'io.containerd.snapshotter.v1';

test.each<[string, Record<string, string>, string | undefined, boolean]>([
  ['graph', { server: 'Docker/28.5.1 (linux)' }, undefined, true],
  ['graph', { server: 'Docker/28.5.1 (linux)' }, 'another driver', true],
  ['containerd', { server: 'Docker/28.5.1 (linux)' }, CONTAINERD, true],
  ['podman', { server: 'Libpod/4.3.1 (linux)' }, undefined, false],
  ['podman', { 'libpod-api-version': '5.0.0' }, CONTAINERD, false],
])('a daemon is known as %s by %j and driver %s', async (kind, headers, driver, isAsked) => {
  let asked = false;
  const store = await storeOf({
    header: (name) => headers[name],
    info: async () => {
      asked = true;
      return { driver, id: '', name: '', root: '' };
    },
  });
  expect(store.kind).toBe(kind);
  expect(asked).toBe(isAsked);
});
