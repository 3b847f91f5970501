import { gzipSync } from 'node:zlib';
import { digestOf } from '../../../src/oci/digest.ts';
import { blobName } from '../../../src/oci/layout.ts';
import { describeBytes } from '../../../src/testing/sample-images.ts';
import { hex, imageConfig, json, layerTar } from './images.ts';
import { base256, entry, GNU, gnuLong, hardlink, header, padded, pax, symlink, tar } from './tar-bytes.ts';

/** An archive as a producer writes it, of which nothing can run in tests. */
export interface Produced {
  producer: string;
  archive: Buffer;
  names: string[];
}

/** The lower layer of all of them. */
export const BASE: Buffer = layerTar('base');
/** The upper one. */
export const APP: Buffer = layerTar('app');
/** Both, bottom first. */
export const LAYERS: Buffer[] = [BASE, APP];
/** The config of all of them. */
export const CONFIG: Buffer = imageConfig(LAYERS, { created: '2024-01-01T00:00:00Z' });

const NAME = 'registry.example:5000/team/app:1';

const file = (name: string, content: Buffer | string): Buffer => entry(name, content);
const gnu = (name: string, content: Buffer): Buffer => entry(name, content, { magic: GNU });
const folder = (name: string): Buffer => header({ name, type: '5', mode: '0000755\0' });
const manifest = (config: string, layers: string[], names: string[] | null = [NAME]): Buffer =>
  json([{ Config: config, RepoTags: names, Layers: layers }]);

/** docker 1.10 to 24: a folder with v1 metadata for each layer, sorted by name. */
function dockerClassic(): Buffer {
  const ids = ['1'.repeat(64), '2'.repeat(64)] as const;
  const v1 = (id: string, layer: Buffer): Buffer[] => [
    folder(`${id}/`),
    file(`${id}/VERSION`, '1.0'),
    file(`${id}/json`, json({ id, created: '1970-01-01T00:00:00Z', os: 'linux' })),
    file(`${id}/layer.tar`, layer),
  ];
  return tar(
    ...v1(ids[0], BASE),
    ...v1(ids[1], APP),
    file(`${hex(CONFIG)}.json`, CONFIG),
    file('manifest.json', manifest(`${hex(CONFIG)}.json`, [`${ids[0]}/layer.tar`, `${ids[1]}/layer.tar`])),
    file('repositories', json({ 'registry.example:5000/team/app': { '1': ids[1] } })),
  );
}

/** docker 1.10 to 24, a layer shared by two images: the link comes before what it points to. */
function dockerLink(): Buffer {
  return tar(
    symlink('aa/layer.tar', '../bb/layer.tar'),
    file('bb/layer.tar', BASE),
    file('cc/layer.tar', APP),
    file('c.json', CONFIG),
    file('manifest.json', manifest('c.json', ['aa/layer.tar', 'cc/layer.tar'])),
  );
}

/** kaniko 1.9 `--tar-path` (through go-containerregistry): the config's name is a digest, layers are `<hash>.tar.gz`. */
function kaniko(): Buffer {
  const layers = LAYERS.map((layer) => gzipSync(layer));
  const names = layers.map((layer) => `${hex(layer)}.tar.gz`);
  return tar(
    file(`sha256:${hex(CONFIG)}`, CONFIG),
    ...layers.map((layer) => file(`${hex(layer)}.tar.gz`, layer)),
    file('manifest.json', manifest(`sha256:${hex(CONFIG)}`, names)),
  );
}

/** jib 3.4 `jibBuildTar`: keys in lower case, `config.json`, layers first. */
function jib(): Buffer {
  const layers = LAYERS.map((layer) => gzipSync(layer));
  const names = layers.map((layer) => `${hex(layer)}.tar.gz`);
  return tar(
    ...layers.map((layer) => file(`${hex(layer)}.tar.gz`, layer)),
    file('config.json', CONFIG),
    file('manifest.json', json([{ config: 'config.json', repoTags: [NAME], layers: names }])),
  );
}

/** Bazel rules_docker 0.25: `./` names, GNU headers, manifest.json last but one, repositories of layer ids. */
function bazel(): Buffer {
  return tar(
    gnu(`./${hex(CONFIG)}.json`, CONFIG),
    gnu(`./${hex(BASE)}/layer.tar`, BASE),
    gnu(`./${hex(APP)}/layer.tar`, APP),
    gnu(
      './manifest.json',
      manifest(`${hex(CONFIG)}.json`, [`${hex(BASE)}/layer.tar`, `${hex(APP)}/layer.tar`]),
    ),
    gnu('./repositories', json({ 'registry.example:5000/team/app': { '1': hex(APP) } })),
  );
}

/** ko 0.15 `--tarball` (through go-containerregistry): as kaniko, here without a name. */
function ko(): Buffer {
  const layers = LAYERS.map((layer) => gzipSync(layer));
  const names = layers.map((layer) => `${hex(layer)}.tar.gz`);
  return tar(
    file(`sha256:${hex(CONFIG)}`, CONFIG),
    ...layers.map((layer) => file(`${hex(layer)}.tar.gz`, layer)),
    file('manifest.json', json([{ Config: `sha256:${hex(CONFIG)}`, RepoTags: null, Layers: names }])),
  );
}

/** An archive packed anew by a program that makes hard links of equal files. */
function hardLinked(): Buffer {
  return tar(
    file('base.tar', BASE),
    hardlink('v1/layer.tar', 'base.tar'),
    file('app.tar', APP),
    file('c.json', CONFIG),
    file('manifest.json', manifest('c.json', ['v1/layer.tar', 'app.tar'])),
  );
}

/**
 * crane 0.20 `save` (through go-containerregistry): the config is named by its digest, each layer by the digest of its
 * compressed bytes. One that was pulled without compression has the same kind of name.
 */
function crane(): Buffer {
  const layers = [gzipSync(BASE), APP];
  const names = layers.map((layer) => `${hex(layer)}.tar.gz`);
  return tar(
    file(`sha256:${hex(CONFIG)}`, CONFIG),
    ...layers.map((layer, i) => file(names[i] ?? '', layer)),
    file('manifest.json', manifest(`sha256:${hex(CONFIG)}`, names)),
  );
}

/** nixpkgs 24.05 `dockerTools.buildImage`: `./` names, a folder for each layer, `repositories` of the top layer. */
function nixBuildImage(): Buffer {
  const ids = ['a'.repeat(64), 'b'.repeat(64)] as const;
  const layer = (id: string, content: Buffer): Buffer[] => [
    folder(`./${id}/`),
    gnu(`./${id}/VERSION`, Buffer.from('1.0')),
    gnu(`./${id}/json`, json({ id })),
    gnu(`./${id}/layer.tar`, content),
  ];
  return tar(
    folder('./'),
    ...layer(ids[0], BASE),
    ...layer(ids[1], APP),
    gnu(`./${hex(CONFIG)}.json`, CONFIG),
    gnu('./manifest.json', manifest(`${hex(CONFIG)}.json`, [`${ids[0]}/layer.tar`, `${ids[1]}/layer.tar`])),
    gnu('./repositories', json({ 'registry.example:5000/team/app': { '1': ids[1] } })),
  );
}

/** nixpkgs 24.05 `dockerTools.streamLayeredImage`: as Python's tarfile writes it, without `repositories`. */
function nixStreamLayeredImage(): Buffer {
  const names = LAYERS.map((layer) => `${hex(layer)}/layer.tar`);
  return tar(
    ...LAYERS.map((layer, i) => Buffer.concat([pax({ mtime: '1.5' }), file(names[i] ?? '', layer)])),
    file(`${hex(CONFIG)}.json`, CONFIG),
    file('manifest.json', manifest(`${hex(CONFIG)}.json`, names)),
  );
}

/** Bazel rules_oci 2.0 `oci_load`: blobs of a layout, the layers with `.tar.gz` behind their digest. */
function rulesOci(): Buffer {
  const layers = LAYERS.map((layer) => gzipSync(layer));
  const names = layers.map((layer) => `blobs/sha256/${hex(layer)}.tar.gz`);
  return tar(
    file('manifest.json', manifest(`blobs/sha256/${hex(CONFIG)}`, names)),
    file(`blobs/sha256/${hex(CONFIG)}`, CONFIG),
    ...layers.map((layer, i) => file(names[i] ?? '', layer)),
  );
}

/** podman 5 `save --format docker-archive`: layers by their diffID, links from the folders of older docker. */
function podman(): Buffer {
  const names = LAYERS.map((layer) => `${hex(layer)}.tar`);
  const links = names.map((name, i) => symlink(`${String(i).repeat(64)}/layer.tar`, `../${name}`));
  return tar(
    ...LAYERS.map((layer, i) => Buffer.concat([file(names[i] ?? '', layer), links[i] ?? Buffer.alloc(0)])),
    file(`${hex(CONFIG)}.json`, CONFIG),
    file('repositories', json({ 'registry.example:5000/team/app': { '1': '1'.repeat(64) } })),
    file('manifest.json', manifest(`${hex(CONFIG)}.json`, names)),
  );
}

/** BuildKit 0.13 `--output type=docker,oci-mediatypes=true`: a layout and a manifest.json over its blobs. */
function buildkit(): Buffer {
  const layers = LAYERS.map((layer) => gzipSync(layer));
  const image = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: describeBytes(CONFIG, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => describeBytes(layer, 'application/vnd.oci.image.layer.v1.tar+gzip')),
  });
  const annotations = { 'io.containerd.image.name': NAME, 'org.opencontainers.image.ref.name': '1' };
  const root = describeBytes(image, 'application/vnd.oci.image.manifest.v1+json');
  return tar(
    folder('blobs/'),
    folder('blobs/sha256/'),
    ...[...layers, CONFIG, image].map((bytes) => file(blobName(digestOf(bytes)), bytes)),
    file('index.json', json({ schemaVersion: 2, manifests: [{ ...root, annotations }] })),
    file(
      'manifest.json',
      manifest(
        blobName(digestOf(CONFIG)),
        layers.map((layer) => blobName(digestOf(layer))),
      ),
    ),
    file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
  );
}

/** Layers that were compressed by hand and kept their names; manifest.json first; made on macOS. */
function edited(): Buffer {
  return tar(
    file('manifest.json', manifest('c.json', ['1/layer.tar', '2/layer.tar'])),
    file('._manifest.json', Buffer.from('\0\x05\x16\x07', 'latin1')),
    file('1/layer.tar', gzipSync(BASE)),
    file('2/layer.tar', APP),
    file('c.json', CONFIG),
  );
}

/** GNU tar 1.34: long names in entries of their own, a size in base 256. */
function gnuTar(): Buffer {
  const long = `${'d'.repeat(120)}/layer.tar`;
  return tar(
    Buffer.concat([
      gnuLong(long),
      header({ name: long, size: base256(BASE.length), magic: GNU }),
      padded(BASE),
    ]),
    file('app.tar', APP),
    Buffer.concat([gnuLong(long, 'K'), symlink('link.tar', long)]),
    file('c.json', CONFIG),
    file('manifest.json', manifest('c.json', ['link.tar', 'app.tar'])),
  );
}

/** bsdtar 3.6 and Go's archive/tar: long names, sizes and times in pax headers. */
function paxTar(): Buffer {
  const long = `${'é'.repeat(80)}/layer.tar`;
  return tar(
    pax({ comment: 'by hand' }, 'g'),
    pax({ mtime: '1700000000.5', path: long, size: String(BASE.length) }),
    header({ name: 'short', size: 0 }),
    padded(BASE),
    file('app.tar', APP),
    file('c.json', CONFIG),
    file('manifest.json', manifest('c.json', [long, 'app.tar'])),
  );
}

/** A tar whose names are split in two, as ustar allows. */
function ustarPrefix(): Buffer {
  return tar(
    entry('layer.tar', BASE, { prefix: 'p'.repeat(120) }),
    file('app.tar', APP),
    file('c.json', CONFIG),
    file('manifest.json', manifest('./c.json', [`${'p'.repeat(120)}/layer.tar`, './app.tar'])),
  );
}

/** All of them. */
export const PRODUCED: Produced[] = [
  { producer: 'docker 1.10 to 24', archive: dockerClassic(), names: [NAME] },
  { producer: 'docker 1.10 to 24, a link before its target', archive: dockerLink(), names: [NAME] },
  { producer: 'kaniko 1.9', archive: kaniko(), names: [NAME] },
  { producer: 'jib 3.4', archive: jib(), names: [NAME] },
  { producer: 'Bazel rules_docker 0.25', archive: bazel(), names: [NAME] },
  { producer: 'ko 0.15', archive: ko(), names: [] },
  { producer: 'crane 0.20', archive: crane(), names: [NAME] },
  { producer: 'nixpkgs buildImage', archive: nixBuildImage(), names: [NAME] },
  { producer: 'nixpkgs streamLayeredImage', archive: nixStreamLayeredImage(), names: [NAME] },
  { producer: 'Bazel rules_oci 2.0', archive: rulesOci(), names: [NAME] },
  { producer: 'podman 5', archive: podman(), names: [NAME] },
  { producer: 'hard links', archive: hardLinked(), names: [NAME] },
  { producer: 'gzip under the name layer.tar', archive: edited(), names: [NAME] },
  { producer: 'GNU tar', archive: gnuTar(), names: [NAME] },
  { producer: 'pax headers', archive: paxTar(), names: [NAME] },
  { producer: 'ustar prefixes', archive: ustarPrefix(), names: [NAME] },
];

/** BuildKit's, whose own manifest is kept. */
export const HYBRID: Produced = { producer: 'BuildKit 0.13', archive: buildkit(), names: [NAME] };
