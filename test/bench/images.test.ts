import { expect, test } from 'vitest';
import { archivesOf } from '../../bench/images.ts';
import { parseOptions } from '../../bench/options.ts';

test('archives that could not be made are made again when the next section asks', async () => {
  let starts = 0;
  const lab = {
    shelf: { folder: '/nowhere', archives: new Map() },
    options: parseOptions([], '/nowhere'),
    say: () => {},
    start: async () => {
      starts += 1;
      throw new Error(`start ${starts} failed`);
    },
  };
  const asked = [archivesOf('podman', lab), archivesOf('podman', lab)];
  for (const made of asked) await expect(made).rejects.toThrow('start 1 failed');
  await expect(archivesOf('podman', lab)).rejects.toThrow('start 2 failed');
});
