import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { LoadResult, SaveResult } from '../../src/index.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import type { TestDaemon } from './support/daemons.ts';
import { buildTinyImage } from './support/images.ts';
import { issue, makeAuthority } from './support/openssl.ts';
import type { CommandResult } from './support/run-command.ts';
import { run } from './support/run-command.ts';

const KIND = 'docker-20.10';
const BIN = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
/** A loopback address of its own, so that the daemon can have the port that is docker's. */
const ADDRESS = '127.77.0.3';
const BY_ADDRESS = `tcp://${ADDRESS}:2376`;

describe('a real dockerd on a tcp port that wants client certificates', () => {
  const skip = skipReason(KIND) !== undefined;
  let folder: string;
  let daemon: TestDaemon;
  let built: string;
  const at = (...names: string[]): string => join(folder, ...names);

  /** As a service of a job has it: certificates for `docker` and the like, those of clients in `client`. */
  const startService = async (): Promise<TestDaemon> =>
    startDaemon(KIND, {
      listen: [
        `--host=${BY_ADDRESS}`,
        '--tlsverify',
        `--tlscacert=${at('authority', 'ca.pem')}`,
        `--tlscert=${at('server', 'cert.pem')}`,
        `--tlskey=${at('server', 'key.pem')}`,
        '--ip-forward=false',
      ],
    });

  /** Saves the image in a world where `docker` is the daemon's name, and there is no local socket. */
  const saveInJob = async (env: Record<string, string>, out: string): Promise<CommandResult> => {
    const world = `mount --bind "$1" /etc/hosts && mount -t tmpfs tmpfs /run && shift
      if [ -n "$LOG" ]; then exec 2>"$LOG"; fi
      exec "$@"`;
    const command = [process.execPath, BIN, 'save', 'temp', '-o', at(out), '--json'];
    const { PATH = '' } = process.env;
    return run('unshare', ['--mount', 'sh', '-c', world, 'sh', at('hosts'), ...command], {
      env: { PATH, HOME: folder, CI: 'true', ...env },
    });
  };
  const save = async (env: Record<string, string>): Promise<CliResult> =>
    drayage(['save', 'temp', '-o', at('unused')], { cwd: folder, env: { HOME: folder, ...env } });

  beforeAll(async () => {
    if (skip) return;
    folder = await mkdtemp(join(tmpdir(), 'drayage-ways-'));
    await makeAuthority(at('authority'));
    await makeAuthority(at('other'));
    await issue(at('authority'), at('server'), 'subjectAltName=DNS:docker,DNS:build.example');
    await issue(at('authority'), at('client'), 'extendedKeyUsage=clientAuth');
    await cp(at('authority', 'ca.pem'), at('client', 'ca.pem'));
    await writeFile(at('hosts'), `127.0.0.1 localhost\n${ADDRESS} docker\n`);
    daemon = await startService();
    built = await buildTinyImage(daemon, ['temp:latest']);
  });
  afterAll(async () => {
    await daemon?.stop();
    if (!skip) await rm(folder, { recursive: true, force: true });
  });

  test.skipIf(skip).each([
    [
      'docker’s own variables',
      { DOCKER_HOST: 'tcp://docker:2376', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: 'client' },
    ],
    [
      'the port, and where certificates are',
      { DOCKER_HOST: 'tcp://docker:2376', DOCKER_CERT_PATH: 'client' },
    ],
    [
      'DOCKER_TLS without verification',
      { DOCKER_HOST: BY_ADDRESS, DOCKER_TLS: '1', DOCKER_CERT_PATH: 'client' },
    ],
    ['DOCKER_TLS_CERTDIR alone', { DOCKER_TLS_CERTDIR: '.' }],
  ])('is reached by %s', async (title, said) => {
    const paths = Object.entries(said).map(([name, value]) =>
      name.includes('CERT') ? [name, at(value)] : [name, value],
    );
    const result = await saveInJob(Object.fromEntries(paths), title);
    expect(result).toMatchObject({ code: 0, stderr: expect.not.stringContaining('waiting') });
    const { images } = JSON.parse(result.stdout) as SaveResult;
    expect(images.map(({ id }) => id)).toEqual([built]);
  });

  test.skipIf(skip)('is reached by a context that docker’s own client made', async () => {
    const files = ['ca', 'cert', 'key'].map((name) => `${name}=${at('client', `${name}.pem`)}`);
    const env = { DOCKER_CONFIG: at('config') };
    const endpoint = `host=tcp://docker:2376,${files.join(',')}`;
    const made = await daemon.docker(['context', 'create', 'service', '--docker', endpoint], { env });
    expect(made).toMatchObject({ code: 0 });
    const used = await saveInJob({ ...env, DOCKER_CONTEXT: 'service' }, 'by-context');
    expect(used).toMatchObject({ code: 0 });
    // As `docker context use` leaves it.
    await writeFile(at('config', 'config.json'), JSON.stringify({ currentContext: 'service' }));
    expect(await saveInJob(env, 'by-current-context')).toMatchObject({ code: 0 });
  });

  test.skipIf(skip)('is refused for a name that its certificate does not hold', async () => {
    const env = { DOCKER_HOST: BY_ADDRESS, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: at('client') };
    const { code, stderr } = await save(env);
    expect(stderr).toContain('is for docker, build.example');
    expect(code).toBe(2);
  });

  test.skipIf(skip)('is refused where another authority is trusted', async () => {
    const env = { DOCKER_HOST: BY_ADDRESS, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: at('other') };
    const { code, stderr } = await save(env);
    expect(stderr).toContain(`is not from the authority in ${at('other')}/ca.pem`);
    expect(code).toBe(2);
  });

  test.skipIf(skip)('tells clients without a certificate, or with a wrong one, what it wants', async () => {
    const without = await save({ DOCKER_HOST: BY_ADDRESS, DOCKER_TLS: '1', DOCKER_CERT_PATH: at('other') });
    expect(without.stderr).toContain(`docker at ${BY_ADDRESS} refuses clients without a certificate`);
    expect(without.stderr).toContain("client's certificate: cert.pem and key.pem");
    expect(without.code).toBe(2);
    await issue(at('other'), at('stranger'), 'extendedKeyUsage=clientAuth');
    const wrong = await save({ DOCKER_HOST: BY_ADDRESS, DOCKER_TLS: '1', DOCKER_CERT_PATH: at('stranger') });
    expect(wrong.stderr).toContain(`refuses the client's certificate in ${at('stranger')}`);
    expect(wrong.stderr).toContain(`cert.pem in ${at('stranger')}`);
    expect(wrong.code).toBe(2);
  });

  test.skipIf(skip)('tells clients that do without TLS that it speaks it', async () => {
    const { code, stderr } = await save({ DOCKER_HOST: BY_ADDRESS });
    expect(stderr).toContain('HTTPS server');
    expect(stderr).toContain('set DOCKER_TLS_VERIFY=1');
    expect(code).toBe(1);
  });

  test.skipIf(skip)('is reached through ssh, in both directions', async () => {
    await mkdir(at('bin'), { recursive: true });
    // What a real one does over there: all that stands behind the host is a command.
    const standIn = `#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexec /bin/sh -c "$*"\n`;
    await writeFile(at('bin', 'ssh'), standIn);
    await chmod(at('bin', 'ssh'), 0o755);
    const env = { PATH: `${at('bin')}:/usr/bin:/bin`, HOME: folder };
    const host = ['--host', `ssh://me@build.example${daemon.socket}`];
    const options = { cwd: folder, env };
    const saved = await drayageJson<SaveResult>(['save', 'temp', '-o', at('by-ssh'), ...host], options);
    expect(saved.images.map(({ id }) => id)).toEqual([built]);
    await daemon.docker(['rmi', '-f', built]);
    const loaded = await drayageJson<LoadResult>(['load', at('by-ssh'), ...host], options);
    expect(loaded.images).toMatchObject([{ id: built, status: 'loaded' }]);
    const { stdout } = await daemon.docker(['image', 'inspect', '--format', '{{.Id}}', 'temp']);
    expect(stdout.trim()).toBe(built);
  });

  test.skipIf(skip)('is waited for where it and its certificates are late', async () => {
    await daemon.stop();
    const stderr = async (): Promise<string> => readFile(at('log'), 'utf8');
    const isTold = async (line: string): Promise<void> =>
      vi.waitFor(async () => expect(await stderr()).toContain(`${line}: waiting for up to 30 s\n`), 20_000);
    const saving = saveInJob({ DOCKER_TLS_CERTDIR: at('late'), LOG: at('log') }, 'late-layout');
    await isTold(`no certificates in ${at('late', 'client')} yet`);
    await cp(at('client'), at('late', 'client'), { recursive: true });
    await isTold('docker at tcp://docker:2376 does not answer yet');
    daemon = await startService();
    const { code } = await saving;
    // It is a new daemon, without images: that it says so is an answer.
    expect(await stderr()).toContain('docker at tcp://docker:2376 has no image temp');
    expect(code).toBe(4);
  });

  test.skipIf(skip)('is given up where its certificates never come', async () => {
    const { code, stderr } = await saveInJob({ DOCKER_TLS_CERTDIR: at('never') }, 'never-layout');
    expect(stderr).toMatch(/ca\.pem, cert\.pem, key\.pem are not in .*never\/client, after 30 s/);
    expect(code).toBe(3);
  });
});
