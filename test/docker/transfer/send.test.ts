import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { parseHost } from '../../../src/docker/connect/host.ts';
import { sendArchive } from '../../../src/docker/transfer/send.ts';
import { Transport } from '../../../src/docker/connect/transport.ts';
import { DrayageError } from '../../../src/errors.ts';
import { FakeDaemon } from '../../support/fake-daemon.ts';

test.each(['at once', 'before it is read', 'after a chunk'])(
  'an archive that fails %s is what is told, and it is let go',
  async (when) => {
    const fake = await FakeDaemon.start();
    const transport = new Transport(parseHost(fake.host), 1000);
    const failure = new DrayageError('DIGEST_MISMATCH', 'damaged');
    const archive = new Readable({
      read() {
        if (when === 'before it is read') this.destroy(failure);
        if (when === 'after a chunk') {
          this.push('chunk');
          void sleep(30).then(() => this.destroy(failure));
        }
      },
    });
    if (when === 'at once') setImmediate(() => archive.destroy(failure));
    await expect(sendArchive({ transport, interval: 1000 }, archive, {})).rejects.toBe(failure);
    expect(archive.destroyed).toBe(true);
    expect(fake.images).toEqual([]);
    await transport.close();
  },
);
