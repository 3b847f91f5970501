import { Command } from 'commander';
import type { CodecName } from '../../index.ts';
import type { LoadCommandOptions } from '../commands/load.ts';
import type { SaveCommandOptions } from '../commands/save.ts';
import type { UnloadCommandOptions } from '../commands/unload.ts';
import type { CommonOptions } from '../context.ts';
import type { Execute } from './execute.ts';
import {
  caOption,
  envOption,
  hostOption,
  offlineOption,
  option,
  repeatable,
  withCommon,
  withJob,
  withRegistry,
  withSignature,
  withSigning,
} from './options.ts';

// What is said to commands that speak to a daemon. Their code is loaded when they are used.

/** All codecs: the library is not loaded to list them, and one that is missing here does not compile. */
const CODECS: Record<CodecName, true> = { auto: true, zstd: true, gzip: true, none: true };

export function saveCommand(execute: Execute): Command {
  const command = new Command('save')
    .summary('daemon (or archive, or layout) -> layout')
    .description('Saves images into an OCI image layout: all of them, or, after any failure, nothing.')
    .argument('[image...]', 'names or IDs; of an archive or a layout by default all')
    .addOption(
      option('--iidfile <file>', 'save the image whose ID this file holds (of docker build --iidfile)'),
    )
    .addOption(
      option(
        '--metadata-file <file>',
        'save the images that docker build or bake --metadata-file wrote down',
      ),
    )
    .addOption(
      option(
        '--from <source>',
        'an archive, a layout folder, oci:DIR[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], or - for standard input, instead of a daemon',
      ),
    )
    .addOption(
      option('-o, --out <dir>', 'the layout to save into; default .drayage/$CI_JOB_ID, else .drayage/images'),
    )
    .addOption(
      option(
        '--thin <when>',
        'leave out the layers that registries have of base images; default auto',
      ).choices(['auto', 'always', 'never']),
    )
    .addOption(repeatable('--base <ref>', 'the image that it is built on, in its registry; may be repeated'))
    .addOption(caOption())
    .addOption(
      repeatable(
        '--base-layout <dir>',
        'leave out the layers that this layout or archive holds; it has to be there on load; may be repeated',
      ),
    )
    .addOption(option('--compress <codec>', 'auto, zstd, gzip or none').choices(Object.keys(CODECS)))
    .addOption(option('--level <n>', 'compression level; default 1').argParser(Number))
    .addOption(option('--platform <platform>', 'of a multi-platform image only the one for this platform'))
    .addOption(envOption())
    .addOption(option('--max-size <size>', 'refuse to make the layout larger than this, such as 500MB'))
    .addOption(
      option('--one-request', 'ask the daemon for all images at once; leaks disk space on one that lives on'),
    )
    .addOption(hostOption())
    .addOption(option('--sign', 'sign what is saved: says which job built it; see drayage sign'));
  return withCommon(withRegistry(withSigning(command))).action(
    async (images: string[], options: SaveCommandOptions & CommonOptions) => {
      const { saveImages } = await import('../commands/save.ts');
      await execute((context) => saveImages(images, options, context), options);
    },
  );
}

export function loadCommand(execute: Execute): Command {
  const command = new Command('load')
    .summary('layouts -> daemon')
    .description('Loads images out of layouts into the daemon and verifies that they are there.')
    .argument(
      '[layout...]',
      'layouts, oci-archive:FILE or docker-archive:FILE; default: every layout below .drayage',
    )
    .addOption(option('-i, --image <name...>', 'only these images: names, digests or IDs'))
    .addOption(option('--tag <ref...>', 'further names for the one image that is loaded'))
    .addOption(option('--platform <platform>', 'of a multi-platform image the one for this platform'))
    .addOption(
      option(
        '--to <target>',
        'oci:DIR, oci-archive:FILE or docker-archive:FILE, each with :NAME for another name, or - (a docker archive), instead of the daemon',
      ),
    )
    .addOption(option('--full', 'send everything, also what the daemon has'))
    .addOption(option('--shared', 'set the unique tag only: others use this daemon').conflicts('private'))
    .addOption(option('--private', 'restore the names, as docker load does'))
    // Not --env-file: Node takes that for itself wherever it stands, and ends where there is no such file yet.
    .addOption(option('--dotenv <file>', 'write the references as variables: DRAYAGE_APP_REF=…'))
    .addOption(offlineOption())
    .addOption(envOption())
    .addOption(hostOption());
  return withCommon(withRegistry(withSignature(withJob(command)))).action(
    async (layouts: string[], options: LoadCommandOptions & CommonOptions) => {
      const { loadImages } = await import('../commands/load.ts');
      await execute((context) => loadImages(layouts, options, context), options);
    },
  );
}

export function unloadCommand(execute: Execute): Command {
  const command = new Command('unload')
    .summary('gives back what this job has loaded')
    .description(
      'Takes away the names that the loads of this GitLab job have set in the daemon, and the images with their last name, ' +
        'but for those that another job holds or a container uses. For after_script.',
    )
    .addOption(option('--older-than <age>', 'instead: what any job loaded longer ago than 30m, 24h, 7d'))
    .addOption(hostOption());
  return withCommon(command).action(async (options: UnloadCommandOptions & CommonOptions) => {
    const { unloadImages } = await import('../commands/unload.ts');
    await execute((context) => unloadImages(options, context), options);
  });
}
