/** What tells one kind of daemon from another: its program, its options, its client and what it needs to run. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export type DaemonKind = 'docker-20.10' | 'docker-28-graph' | 'docker-28-containerd' | 'podman';

/** Every kind, for `describe.each`. */
export const DAEMON_KINDS: readonly DaemonKind[] = [
  'docker-20.10',
  'docker-28-graph',
  'docker-28-containerd',
  'podman',
];

/** Where things of one daemon lie; all of it in one folder of its own. */
export interface DaemonPaths {
  readonly folder: string;
  readonly socket: string;
  readonly dataRoot: string;
}

interface KindSpec {
  /** The system to run in: `/`, or the folder of an unpacked one. */
  readonly root: string;
  /** The daemon's program, as seen inside `root`. */
  readonly program: string;
  /** The docker client that belongs to it, as seen from outside. */
  readonly client: string;
  /** What `program --version` must match. */
  readonly version: RegExp;
  readonly args: (paths: DaemonPaths) => string[];
  /** What goes into `daemon.json`. */
  readonly config: object;
}

const TEST_ROOT = process.env['DRAYAGE_TEST_ROOT'] ?? '/var/lib/drayage-test';
const DOCKER_28 = join(TEST_ROOT, 'docker-28');
const GRAPH_STORE = { 'storage-driver': 'overlay2' };
const DEBIAN_CLIENT = '/usr/bin/docker';

/** Where the unpacked docker client keeps its plugins; `buildx` is one. */
export const PLUGIN_FOLDER: string = join(DOCKER_28, 'usr/libexec/docker/cli-plugins');

/** Where `docker compose` is, which Debian 12 has as a program of its own only. */
export const COMPOSE_FOLDER: string = join(TEST_ROOT, 'compose-sid/usr/libexec/docker/cli-plugins');

function dockerdArgs({ folder, socket, dataRoot }: DaemonPaths): string[] {
  return [
    `--config-file=${join(folder, 'daemon.json')}`,
    `--pidfile=${join(folder, 'docker.pid')}`,
    `--data-root=${dataRoot}`,
    `--exec-root=${join(folder, 'x')}`,
    `--host=unix://${socket}`,
    '--iptables=false',
    '--ip6tables=false',
    '--bridge=none',
  ];
}

function podmanArgs({ folder, socket, dataRoot }: DaemonPaths): string[] {
  return [
    `--root=${dataRoot}`,
    `--runroot=${join(folder, 'x')}`,
    `--tmpdir=${join(folder, 'l')}`,
    `--network-config-dir=${join(folder, 'n')}`,
    '--storage-driver=overlay',
    '--cgroup-manager=cgroupfs',
    '--events-backend=none',
    'system',
    'service',
    '--time=0',
    `unix://${socket}`,
  ];
}

function unpackedDocker(config: object): KindSpec {
  return {
    root: DOCKER_28,
    program: '/usr/sbin/dockerd',
    client: join(DOCKER_28, 'usr/bin/docker'),
    version: /version (2[89]|[3-9]\d)\./,
    args: dockerdArgs,
    config,
  };
}

export const KIND_SPECS: Readonly<Record<DaemonKind, KindSpec>> = {
  'docker-20.10': {
    root: '/',
    program: '/usr/sbin/dockerd',
    client: DEBIAN_CLIENT,
    version: /version 20\.10\./,
    args: dockerdArgs,
    config: GRAPH_STORE,
  },
  'docker-28-graph': unpackedDocker({ ...GRAPH_STORE, features: { 'containerd-snapshotter': false } }),
  'docker-28-containerd': unpackedDocker({ features: { 'containerd-snapshotter': true } }),
  podman: {
    root: '/',
    program: '/usr/bin/podman',
    client: DEBIAN_CLIENT,
    version: /version \d/,
    args: podmanArgs,
    config: {},
  },
};

const reasons = new Map<DaemonKind, string | undefined>();

/** Why a daemon of this kind cannot run on this machine, or `undefined` when it can. */
export function unavailable(kind: DaemonKind): string | undefined {
  if (!reasons.has(kind)) reasons.set(kind, findReason(KIND_SPECS[kind]));
  return reasons.get(kind);
}

/**
 * The reason to skip the tests of a kind, for `describe.skipIf`, or `undefined`.
 * @throws {Error} Instead of giving a reason, when DRAYAGE_REQUIRE_SYSTEM is 1.
 */
export function skipReason(kind: DaemonKind): string | undefined {
  const reason = unavailable(kind);
  if (reason !== undefined && process.env['DRAYAGE_REQUIRE_SYSTEM'] === '1') {
    throw new Error(`${kind} is required but cannot run here: ${reason}`);
  }
  return reason;
}

function findReason(spec: KindSpec): string | undefined {
  if (process.platform !== 'linux') return `needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'needs root';
  const program = join(spec.root, spec.program);
  const missing = [program, spec.client].find((path) => !existsSync(path));
  if (missing !== undefined) return `no ${missing}: run scripts/install-system.sh`;
  return wrongVersion(spec) ?? noNamespaces();
}

function wrongVersion(spec: KindSpec): string | undefined {
  // The unpacked programs may need the unpacked libc; their clients are made to run anywhere.
  const program = spec.root === '/' ? spec.program : spec.client;
  try {
    const text = execFileSync(program, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return spec.version.test(text) ? undefined : `${program} is ${text.trim()}, not ${spec.version.source}`;
  } catch (error) {
    return `${program} does not run: ${String(error)}`;
  }
}

function noNamespaces(): string | undefined {
  try {
    const args = ['--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--net', '--kill-child', 'true'];
    execFileSync('setpriv', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    return undefined;
  } catch (error) {
    return `cannot make namespaces: ${String(error)}`;
  }
}
