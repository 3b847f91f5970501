import { generateKeyPairSync } from 'node:crypto';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readImage } from '../../src/image/image.ts';
import { Layout } from '../../src/layout/layout.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { buildManifest } from '../../src/oci/manifest.ts';
import { once } from '../../src/stream/tap.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import type { TestDaemon } from './support/daemons.ts';
import { DAEMON_KINDS, skipReason, startDaemon } from './support/daemons.ts';
import { buildTinyImage } from './support/images.ts';
import type { TestRegistry } from './support/registry.ts';
import { registrySkipReason, startRegistry } from './support/registry.ts';
import { run } from './support/run-command.ts';
import { makeTempFolder, removeTempFolder } from './support/temp-folders.ts';

const FOREIGN = 'bytes that nobody checked';
const BLOB = gzipSync(tar(entry('file-0', FOREIGN)));
const EVIL = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: digestOf(BLOB),
  size: BLOB.length,
};

/** Adds to a copy of a layout an image with the same config, whose first layer is claimed to be the foreign blob. */
async function forge(from: string, to: string, name: string, { only = true } = {}): Promise<void> {
  await cp(from, to, { recursive: true });
  const layout = await Layout.open(to);
  const [image] = await layout.images();
  if (image === undefined) throw new Error(`${from} holds no image`);
  const { manifest, config } = await readImage(layout, image.root);
  const forged = buildManifest(config.descriptor, [EVIL, ...manifest.value.layers.slice(1)]);
  await layout.update(async (content) => {
    await content.put(EVIL, once(BLOB));
    await content.put(forged.descriptor, once(forged.bytes));
    if (only) content.remove(image.root.digest);
    content.add(forged.descriptor, [name], {});
  });
}

/** As {@link forge}, with a config for a platform that no daemon here unpacks, and so with no true one. */
async function forgeForeign(from: string, to: string, name: string): Promise<void> {
  await forge(from, to, name);
  const layout = await Layout.open(to);
  const [image] = await layout.images();
  if (image === undefined) throw new Error(`${to} holds no image`);
  const { manifest, config } = await readImage(layout, image.root);
  const text = (await buffer(await layout.open(config.descriptor))).toString();
  const foreign = Buffer.from(text.replace(/"architecture":"[^"]*"/, '"architecture":"s390x"'));
  const descriptor = { ...config.descriptor, digest: digestOf(foreign), size: foreign.length };
  const forged = buildManifest(descriptor, manifest.value.layers);
  await layout.update(async (content) => {
    await content.put(descriptor, once(foreign));
    await content.put(forged.descriptor, once(forged.bytes));
    content.remove(image.root.digest);
    content.add(forged.descriptor, [name], {});
  });
}

function expectOurs(bytes: Buffer | undefined): void {
  expect(bytes?.includes(FOREIGN) ?? false).toBe(false);
  expect(bytes?.includes(EVIL.digest.slice(7)) ?? false).toBe(false);
}

describe.each(DAEMON_KINDS)('foreign bytes, and images of %s,', (kind) => {
  const skip = skipReason(kind) !== undefined || registrySkipReason() !== undefined;
  let cwd: string;
  let daemon: TestDaemon;
  /** Holds nothing before an image is accepted. */
  let target: TestDaemon;
  let registry: TestRegistry;
  let id: string;

  const cli = async (args: string[], env: Record<string, string> = {}): Promise<CliResult> =>
    drayage(args, { cwd, env: { DRAYAGE_REGISTRIES: registry.host, ...env } });
  const must = async (args: string[]): Promise<void> => {
    const { code, stderr } = await cli(args);
    expect([code, stderr]).toEqual([0, expect.anything()]);
  };

  beforeAll(async () => {
    if (skip) return;
    cwd = await makeTempFolder();
    daemon = await startDaemon(kind);
    target = await startDaemon(kind);
    registry = await startRegistry();
    const layers = [`base ${kind}`, `middle ${kind}`];
    await buildTinyImage(daemon, ['base:1'], { layers });
    const labels = { 'org.opencontainers.image.base.name': `${registry.host}/attacker/base:1` };
    id = await buildTinyImage(daemon, ['app:1'], { layers: [...layers, `app ${kind}`], labels });
    for (const name of ['base', 'app'])
      await must(['save', `${name}:1`, '-o', `${name}-real`, '--host', daemon.host, '--compress', 'gzip']);
    await forge(join(cwd, 'base-real'), join(cwd, 'base-forged'), 'base:1');
    await forge(join(cwd, 'app-real'), join(cwd, 'app-forged'), 'app:1');
    // Without the true blobs, which the copy still has.
    await must(['prune', 'base-forged']);
    const remote = `docker://${registry.host}/attacker/base:1`;
    const copy = ['copy', '--dest-tls-verify=false', `oci:${join(cwd, 'base-forged')}:base:1`, remote];
    expect(await run('skopeo', copy, { env: { PATH: process.env['PATH'] ?? '' } })).toMatchObject({
      code: 0,
    });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    await writeFile(join(cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const uri = `pkg:docker/${registry.host}/attacker/base@1`;
    const provenance = { 'buildx.build.provenance': { materials: [{ uri }] } };
    const metadata = { 'containerimage.digest': id, 'image.name': 'app:1', ...provenance };
    await writeFile(join(cwd, 'metadata.json'), JSON.stringify(metadata));
  }, 240_000);
  afterAll(async () => {
    await daemon?.stop();
    await target?.stop();
    await registry?.stop();
    if (!skip) await removeTempFolder(cwd);
  });

  /** Every receiver of an image, and how to read what it got; undefined if it got nothing. */
  const receivers: [string, (layout: string) => Promise<[CliResult, Buffer | undefined]>][] = [
    [
      'the daemon',
      async (layout) => {
        const loaded = await cli(['load', layout, '-i', 'app:1', '--full', '--host', target.host]);
        const { stdout } = await target.docker(['image', 'ls', '--quiet', '--filter', 'reference=app:1']);
        if (stdout.trim() === '') return [loaded, undefined];
        const file = join(cwd, `${layout}.daemon.tar`);
        await target.docker(['save', '-o', file, 'app:1']);
        return [loaded, await readFile(file)];
      },
    ],
    ...['oci-archive', 'docker-archive'].map(
      (form): [string, (layout: string) => Promise<[CliResult, Buffer | undefined]>] => [
        `an ${form}`,
        async (layout) => {
          const file = join(cwd, `${layout}.${form}.tar`);
          const written = await cli(['load', layout, '-i', 'app:1', '--to', `${form}:${file}`]);
          return [written, await readFile(file).catch(() => undefined)];
        },
      ],
    ),
    [
      'a registry',
      async (layout) => {
        const repository = `group/${layout}`;
        const promoted = await cli([
          'promote',
          'app:1',
          `${registry.host}/${repository}:1`,
          '--from',
          layout,
        ]);
        const reply = await fetch(`http://${registry.host}/v2/${repository}/manifests/1`, {
          headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
        });
        return [promoted, reply.ok ? Buffer.from(await reply.arrayBuffer()) : undefined];
      },
    ],
    [
      'an OCI layout',
      async (layout) => {
        const folder = join(cwd, `${layout}-oci`);
        const written = await cli(['load', layout, '-i', 'app:1', '--to', `oci:${folder}`]);
        const files = await readdir(folder, { recursive: true }).catch(() => undefined);
        if (files === undefined) return [written, undefined];
        const index = await readFile(join(folder, 'index.json')).catch(() => Buffer.alloc(0));
        return [written, Buffer.concat([Buffer.from(files.join(' ')), index])];
      },
    ],
    [
      'a merged layout',
      async (layout) => {
        const merged = await cli(['merge', layout, '-i', 'app:1', '-o', `${layout}-merged`]);
        const index = await readFile(join(cwd, `${layout}-merged/index.json`)).catch(() => undefined);
        if (merged.code !== 0 || index === undefined) return [merged, undefined];
        // An omitted layer is only named there: whoever needs it proves it.
        const blobs = await readdir(join(cwd, `${layout}-merged/blobs/sha256`));
        return [merged, Buffer.from(blobs.join(' '))];
      },
    ],
  ];

  const save = (layout: string): string[] => [
    'save',
    '-o',
    layout,
    '--host',
    daemon.host,
    '--sign',
    '--key',
    'key.pem',
  ];

  test.skipIf(skip).each([
    ['a hostile layout', 'hostile', forge],
    ['one for another platform', 'foreign', forgeForeign],
  ])(
    'do not go out of %s',
    async (_, layout, make) => {
      await make(join(cwd, 'app-real'), join(cwd, layout), 'app:1');
      for (const [receiver, receive] of receivers) {
        const [result, bytes] = await receive(layout);
        expect([receiver, result.code, result.stderr]).toEqual([receiver, 4, expect.anything()]);
        expect([receiver, bytes]).toEqual([receiver, undefined]);
      }
    },
    240_000,
  );

  test.skipIf(skip).each<[string, string, (layout: string) => Promise<string[]>, number[]]>([
    ['a base that a label names', 'label', async (to) => [...save(to), 'app:1', '--thin', 'always'], [0]],
    [
      'a base that a label names, for a small layout',
      'small',
      async (to) => [...save(to), 'app:1', '--max-size', '1'],
      [6],
    ],
    [
      'a base that a label names, for a layout of a limited size',
      'limited',
      async (to) => [...save(to), 'app:1', '--max-size', '10MB'],
      [0],
    ],
    ['a base layout', 'layout', async (to) => [...save(to), 'app:1', '--base-layout', 'base-forged'], [0]],
    [
      'a folder that is saved into',
      'planted',
      async (to) => {
        await forge(join(cwd, 'app-real'), join(cwd, to), 'planted:1', { only: true });
        return [...save(to), 'app:1'];
      },
      [0],
    ],
    [
      'a base that the provenance of a build names',
      'built',
      async (to) => [...save(to), '--metadata-file', 'metadata.json', '--thin', 'always'],
      // A containerd store keeps its own blobs: nothing is omitted.
      [0, 4],
    ],
  ])(
    'do not come in by %s',
    async (_, layout, arrange, expected) => {
      const { code, stderr } = await cli(await arrange(layout), SIGNING_JOB);
      expect([expected.includes(code ?? 1), stderr]).toEqual([true, expect.anything()]);
      if (code === 6) {
        // Nothing was saved, so nobody gets anything.
        for (const [receiver, receive] of receivers) {
          const [result, bytes] = await receive(layout);
          expect([receiver, result.code === 0]).toEqual([receiver, false]);
          expectOurs(bytes);
        }
        return;
      }
      for (const [receiver, receive] of receivers) {
        const [result, bytes] = await receive(layout);
        expect([receiver, expected.includes(result.code ?? 1), result.stderr]).toEqual([
          receiver,
          true,
          expect.anything(),
        ]);
        expectOurs(bytes);
      }
    },
    240_000,
  );

  test.skipIf(skip)(
    'do not go into a daemon that has the true image, and compares nothing any more',
    async () => {
      await must(['load', 'app-real', '--tag', 'true:1', '--host', target.host]);
      const [toDaemon] = receivers;
      const [result, bytes] = (await toDaemon?.[1]('app-forged')) ?? expect.fail();
      // By its config, which docker's own store goes by, it is the true image.
      const wanted = kind === 'docker-28-containerd' ? 4 : 0;
      expect([result.code, result.stderr]).toEqual([wanted, result.stderr]);
      expectOurs(bytes);
    },
    240_000,
  );

  // Only a containerd store keeps layers that it has not unpacked; the other kinds have no such way in.
  const onlyContainerd = kind === 'docker-28-containerd' ? test.skipIf(skip) : undefined;
  onlyContainerd?.(
    'do not come in by a hostile image in the store of the daemon',
    async () => {
      // A containerd store unpacks only what is for its own platform: so it takes layers that no diffID describes.
      await forgeForeign(join(cwd, 'app-real'), join(cwd, 'store-forged'), 'evil:1');
      await rm(join(cwd, 'store-forged/manifest.json'), { force: true });
      const archive = join(cwd, 'evil.tar');
      await run('tar', ['-C', join(cwd, 'store-forged'), '-cf', archive, '.'], { env: {} });
      await daemon.docker(['load', '-i', archive]);
      const { stdout } = await daemon.docker(['image', 'ls', '--quiet', '--filter', 'reference=evil:1']);
      expect(stdout.trim()).not.toBe('');
      for (const args of [[], ['--platform', 'linux/s390x'], ['--compress', 'none']]) {
        const { code, stderr } = await cli([...save('from-store'), 'evil:1', ...args], SIGNING_JOB);
        expect([args, code, stderr]).toEqual([args, 4, expect.anything()]);
      }
      // What it has of the hostile image does not stand for layers of a true one, either.
      const saved = await cli([...save('from-store'), 'app:1'], SIGNING_JOB);
      expect([saved.code, saved.stderr]).toEqual([0, expect.anything()]);
      for (const [receiver, receive] of receivers) {
        const [result, bytes] = await receive('from-store');
        expect([receiver, result.code, result.stderr]).toEqual([receiver, 0, expect.anything()]);
        expectOurs(bytes);
      }
    },
    240_000,
  );
});
