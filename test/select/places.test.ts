import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { onTestFinished } from 'vitest';
import { unpackArchives } from '../../src/cli/unpack.ts';
import { overlay } from '../../src/content/overlay.ts';
import type { ImagePlace, StoredImage } from '../../src/content/image-index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { isIndexType, isManifestType } from '../../src/oci/media-types.ts';
import type { SelectionContent } from '../contract/selection.ts';
import { selectionContract } from '../contract/selection.ts';
import { clientOf, layoutFiles, zipped } from '../gitlab/artifacts.ts';
import { registryOf } from '../registry/registries.ts';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { FakeGitLab } from '../support/fake-gitlab.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { zip } from '../support/zip-bytes.ts';

function filesOf(content: SelectionContent, folder = '.drayage/123'): Map<string, Buffer> {
  const { blobs, entries, files = {} } = content;
  const others = Object.entries(files).map(
    ([path, text]) => [`${folder}/${path}`, Buffer.from(text)] as const,
  );
  return new Map([...layoutFiles(blobs, { folder, manifests: [...entries] }), ...others]);
}

selectionContract('a folder', {
  open: async (content) => {
    const home = await temporaryFolder();
    for (const [path, bytes] of filesOf(content)) {
      await mkdir(dirname(join(home, path)), { recursive: true });
      await writeFile(join(home, path), bytes);
    }
    return Layout.open(join(home, '.drayage/123'));
  },
});

selectionContract('a tar of it', {
  open: async (content, { images }) => {
    const home = await temporaryFolder();
    const entries = [...filesOf(content, '.')].map(([path, bytes]) => entry(path, bytes));
    await writeFile(join(home, 'layout.tar'), tar(...entries));
    const context = {
      env: {},
      stdin: new PassThrough(),
      stdout: new PassThrough(),
      signal: new AbortController().signal,
      onProgress: () => {},
    };
    const unpacked = await unpackArchives([`oci-archive:${join(home, 'layout.tar')}`], context, images);
    onTestFinished(() => unpacked[Symbol.asyncDispose]());
    const [place] = unpacked.places;
    if (place === undefined) throw new Error('no layout');
    return place;
  },
});

selectionContract('an artifact', {
  // It would be a request more.
  readsVersion: false,
  open: async (content) => {
    const files = filesOf(content);
    const archive = zip(zipped(files));
    const fake = await FakeGitLab.start({ jobs: [{ id: 123, name: 'build', archive, files }] });
    const gitlab = clientOf(fake);
    const job = { kind: 'id', jobId: '123', project: '12' } as const;
    const artifact = await gitlab.openArtifact(job, { temporary: await temporaryFolder() });
    onTestFinished(async () => {
      await artifact[Symbol.asyncDispose]();
      await gitlab[Symbol.asyncDispose]();
    });
    const [place] = artifact.layouts;
    if (place === undefined) throw new Error('no layout');
    return place;
  },
});

selectionContract('a registry', {
  hasIndex: false,
  open: async ({ blobs, entries }) => {
    const fake = await FakeRegistry.start();
    const stored = fake.store.repository('app');
    for (const [{ digest, mediaType }, bytes] of blobs) {
      const isDocument = isManifestType(mediaType) || isIndexType(mediaType);
      if (isDocument) stored.manifests.set(digest, { mediaType, bytes: Buffer.from(bytes) });
      else stored.blobs.set(digest, Buffer.from(bytes));
    }
    for (const { digest, annotations } of entries) {
      const tag = annotations?.['org.opencontainers.image.ref.name']?.replace('app:', '');
      if (tag !== undefined) stored.tags.set(tag, digest);
    }
    return withLocalNames(registryOf(fake).repository('app'), `${fake.host}/app`);
  },
});

/** The repository's images under the names that they have elsewhere: `app:1`. */
function withLocalNames(repository: ImagePlace, name: string): ImagePlace {
  const local = (image: StoredImage): StoredImage => ({
    ...image,
    names: image.names.map((own) => own.replace(name, 'app')),
  });
  return overlay(repository, {
    images: async (options) => (await repository.images(options)).map(local),
    resolve: async (reference, options) => {
      const [first, ...others] = await repository.resolve(reference.replace(/^app:/, `${name}:`), options);
      return [local(first), ...others.map(local)];
    },
  });
}
