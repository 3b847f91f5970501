import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { connectDocker } from '../../../src/docker/daemon.ts';
import { FakeDaemon } from '../../support/fake-daemon.ts';
import type { SshStandIn } from '../../support/front.ts';
import { script, sshStandIn } from '../../support/front.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const HOST = 'ssh://me@build.example:2222';

let fake: FakeDaemon;
let ssh: SshStandIn;
beforeEach(async () => {
  fake = await FakeDaemon.start({
    images: [{ id: `sha256:${'a'.repeat(64)}`, names: ['app:1'], diffIds: [] }],
  });
  ssh = await sshStandIn(fake.host.slice('unix://'.length));
});

const runs = async (): Promise<string[]> => (await readFile(ssh.log, 'utf8')).trim().split('\n');

describe('a daemon behind ssh', () => {
  test('is reached, and an ssh is used for more than one request', async () => {
    await using daemon = await connectDocker({ host: HOST, sshCommand: ssh.command });
    expect(daemon).toMatchObject({ host: HOST, serverVersion: '28.5.2' });
    expect(await daemon.list()).toHaveLength(1);
    expect(await text(await daemon.save('app:1'))).toBe('tar');
    const started = await runs();
    expect(started[0]).toBe(
      '-o ConnectTimeout=30 -T -l me -p 2222 -- build.example docker system dial-stdio',
    );
    expect(started.length).toBeLessThan(fake.seen.length);
  });

  test('carries large bodies whole', async () => {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    fake.handlers.set('GET /images/get', async (_, response) => {
      for (let n = 0; n < 20; n += 1) {
        if (!response.write(piece)) await new Promise<void>((resolve) => response.once('drain', resolve));
      }
      response.end();
    });
    await using daemon = await connectDocker({ host: HOST, sshCommand: ssh.command });
    let size = 0;
    for await (const chunk of await daemon.save('app:1')) size += (chunk as Buffer).length;
    expect(size).toBe(20 * piece.length);
  });

  test('loses its ssh when it is closed', async () => {
    const daemon = await connectDocker({ host: HOST, sshCommand: ssh.command });
    await daemon.close();
    await vi.waitFor(async () => expect((await runs()).at(-1)).toBe('end'), { timeout: 10_000 });
  });

  test('that dies midway is an error, never a silent end', async () => {
    fake.handlers.set('GET /images/get', (_, response) => {
      response.write('begin');
      setTimeout(() => response.destroy(), 50);
    });
    await using daemon = await connectDocker({ host: HOST, sshCommand: ssh.command });
    await expect(text(await daemon.save('app:1'))).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  test.each([
    [
      'echo "me@build.example: Permission denied (publickey)." >&2; exit 255',
      'Permission denied (publickey). (ssh ended with 255)',
    ],
    [
      'cat >/dev/null & echo "sh: docker: not found" >&2; exit 127',
      'sh: docker: not found (ssh ended with 127)',
    ],
    ['exit 3', 'ssh ended with 3'],
    ['kill -9 $$', 'ssh was ended'],
    // As a background process of ssh does that shares connections.
    ['(sleep 20 >/dev/null 2>&2 &) ; echo "no way" >&2; exit 255', 'no way (ssh ended with 255)'],
  ])('whose ssh does %j is out of reach with what it said', async (lines, said) => {
    const sshCommand = await script(ssh.folder, lines);
    await expect(connectDocker({ host: HOST, sshCommand })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringMatching(
        new RegExp(`^cannot reach docker at ${HOST}: .*${said.replaceAll(/[.()]/g, '\\$&')}$`),
      ),
      hint: expect.stringContaining('without a prompt'),
    });
  });

  test('cannot be reached where there is no ssh', async () => {
    const sshCommand = join(await temporaryFolder(), 'ssh');
    await expect(connectDocker({ host: HOST, sshCommand })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: `docker at ${HOST} needs ssh, and ${sshCommand} cannot be run`,
    });
  });

  test('whose ssh says nothing is given up, and its ssh ends', async () => {
    const sshCommand = await script(
      ssh.folder,
      `trap 'echo end >> "${ssh.log}"; exit' TERM; sleep 60 & wait`,
    );
    await expect(connectDocker({ host: HOST, sshCommand, connectTimeout: 300 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
    await vi.waitFor(async () => expect(await runs()).toEqual(['end']), { timeout: 10_000 });
  });

  test('does not keep the process alive while nothing is asked', async () => {
    const source = `
      import { connectDocker } from ${JSON.stringify(new URL('../../../dist/exports/docker.js', import.meta.url).href)};
      const daemon = await connectDocker({ host: '${HOST}', sshCommand: ${JSON.stringify(ssh.command)} });
      await daemon.list();
      console.log('idle');`;
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', source], {
      timeout: 15_000,
    });
    expect((await run).stdout).toBe('idle\n');
  });
});
