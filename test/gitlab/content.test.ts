import type { ContentSource } from '../../src/content/source.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { PlaceUnderTest } from '../../src/testing/content-contract.ts';
import { contentSourceContract } from '../contract/content.ts';
import type { FakeGitLabOptions } from '../support/fake-gitlab.ts';
import { FakeGitLab } from '../support/fake-gitlab.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { ZipFileOptions } from '../support/zip-bytes.ts';
import { zip } from '../support/zip-bytes.ts';
import { clientOf, layoutFiles, named, zipped } from './artifacts.ts';

/** A layout in the artifact of job 123, as a server of this kind hands it out. */
function artifactOf(
  options: FakeGitLabOptions,
  how: Partial<ZipFileOptions> = {},
): (blobs: Uint8Array[], damaged: [Descriptor, Uint8Array][]) => Promise<PlaceUnderTest<ContentSource>> {
  return async (blobs, damaged) => {
    const files = layoutFiles([...named(blobs), ...damaged]);
    const archive = zip(zipped(files, how), { zip64: how.zip64 === true });
    const fake = await FakeGitLab.start({ ...options, jobs: [{ id: 123, name: 'build', archive, files }] });
    const gitlab = clientOf(fake);
    const job = { kind: 'id', jobId: '123', project: '12' } as const;
    const artifact = await gitlab.openArtifact(job, { temporary: await temporaryFolder() });
    const [place] = artifact.layouts;
    if (place === undefined) throw new Error('no layout');
    const close = async (): Promise<void> => {
      await artifact[Symbol.asyncDispose]();
      await gitlab[Symbol.asyncDispose]();
    };
    return { place, close };
  };
}

contentSourceContract('an artifact of deflated files', artifactOf({}));
contentSourceContract('an artifact of stored files', artifactOf({}, { method: 'stored' }));
contentSourceContract(
  'an artifact with 64-bit sizes',
  artifactOf({}, { zip64: true, dataDescriptor: false }),
);
contentSourceContract('an artifact that GitLab hands out itself', artifactOf({ redirect: false }));
contentSourceContract('an artifact in single files', artifactOf({ ranges: false, lists: true }));
contentSourceContract('an artifact that is downloaded whole', artifactOf({ ranges: false }));
