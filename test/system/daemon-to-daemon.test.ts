import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectDocker, copy, load, openArchive } from '../../src/index.ts';
import { fixturePath } from '../support/fixtures.ts';
import type { DaemonKind } from './support/daemon-kinds.ts';
import { DAEMON_KINDS } from './support/daemon-kinds.ts';
import type { TestDaemon } from './support/daemons.ts';
import { skipReason, startDaemon } from './support/daemons.ts';

const NAME = 'drayage-demo/api:1.0';

const kinds = DAEMON_KINDS.filter((kind) => skipReason(kind) === undefined);
const daemons = new Map<DaemonKind, TestDaemon>();

beforeAll(async () => {
  for (const kind of kinds) daemons.set(kind, await startDaemon(kind));
});

afterAll(async () => {
  for (const daemon of daemons.values()) await daemon.stop();
});

function hostOf(kind: DaemonKind): string {
  return daemons.get(kind)?.host ?? expect.fail(`${kind} does not run`);
}

describe.each(kinds)('from %s', (fromKind) => {
  test.each(kinds.filter((kind) => kind !== fromKind))(
    'to %s, without a store on the way',
    async (toKind) => {
      await using from = await connectDocker({ host: hostOf(fromKind) });
      await using to = await connectDocker({ host: hostOf(toKind) });
      const place = await openArchive(fixturePath('demo.tar'), { images: [NAME] });
      await load({ from: [place], to: from });
      const { id, diffIds } = await from.inspect(NAME);
      const { images } = await copy({ from, images: [NAME], to });
      const copied = await to.inspect(NAME);
      expect(copied.diffIds).toEqual(diffIds);
      expect(diffIds.length).toBeGreaterThan(1);
      expect([id, images[0]?.id, images[0]?.digest]).toContain(copied.id);
      for (const name of copied.names) await to.remove(name);
    },
  );
});
