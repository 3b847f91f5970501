import { Command } from 'commander';
import type { FetchCommandOptions } from '../commands/fetch.ts';
import type { PromoteCommandOptions } from '../commands/promote.ts';
import type { UntagCommandOptions } from '../commands/untag.ts';
import type { CommonOptions } from '../context.ts';
import type { Execute } from './execute.ts';
import {
  envOption,
  offlineOption,
  option,
  repeatable,
  withCommon,
  withJob,
  withRegistry,
  withSignature,
} from './options.ts';

// What is said to commands that speak to GitLab and to registries. Their code is loaded when they are used.

export function fetchCommand(execute: Execute): Command {
  const command = new Command('fetch')
    .summary("a job's artifact -> layout")
    .description(
      "Brings a GitLab job's images here through the artifact API: only the blobs that are missing.",
    )
    .argument(
      '[layout...]',
      'without a job, layouts that --complete fills up; default: every one below .drayage',
    )
    .addOption(option('-i, --image <name...>', 'only these images: names, digests or IDs'))
    .addOption(option('-o, --out <dir>', 'the layout that they come into; default .drayage/<job id>'))
    .addOption(option('--complete', 'also the layers that are left out of a layout'))
    .addOption(offlineOption());
  return withCommon(withRegistry(withSignature(withJob(command)))).action(
    async (layouts: string[], options: FetchCommandOptions & CommonOptions) => {
      const { fetchImages } = await import('../commands/fetch.ts');
      await execute((context) => fetchImages(layouts, options, context), options);
    },
  );
}

export function promoteCommand(execute: Execute): Command {
  const command = new Command('promote')
    .summary('layouts -> registries')
    .description(
      'Puts images into registries, under the digests that they have in the layout: only what is missing there, tags last. ' +
        'References may hold variables such as $CI_COMMIT_SHA.',
    )
    .argument('[image]', 'a name, digest or ID in the layouts')
    .argument('[ref...]', 'where to: registry.example/group/app:1.2, any number of tags and registries')
    .addOption(repeatable('--from <layout>', 'a layout, may be repeated; default: every one below .drayage'))
    .addOption(option('--all', 'every image that has a name, to where --to says'))
    .addOption(
      repeatable('--to <ref>', "where to, may be repeated; with --all 'registry.example/group/{name}:{tag}'"),
    )
    .addOption(
      option('--semver', 'references without a tag get those of $CI_COMMIT_TAG: v1.2.3 is 1.2.3, 1.2, 1'),
    )
    .addOption(option('--if-absent', 'refuse to move a tag that means another image'))
    .addOption(
      repeatable(
        '--attach <type>',
        'with a signature asked for: what is attached and of this type goes along unchecked, too: an artifact type, .sig, .att, .sbom or all; may be repeated',
      ),
    )
    .addOption(
      repeatable(
        '--mount-from <repository>',
        'may hold layers already, which are not sent then; may be repeated',
      ),
    )
    .addOption(envOption());
  return withCommon(withRegistry(withSignature(withJob(command)))).action(
    async (image: string | undefined, refs: string[], options: PromoteCommandOptions & CommonOptions) => {
      const { promoteImages } = await import('../commands/promote.ts');
      const args = image === undefined ? [] : [image, ...refs];
      await execute((context) => promoteImages(args, options, context), options);
    },
  );
}

export function untagCommand(execute: Execute): Command {
  const command = new Command('untag')
    .summary('takes tags away from registries')
    .description('Takes tags away. What they meant stays under its other tags and its digest.')
    .argument('<ref...>', 'registry.example/group/app:pr-12')
    .addOption(option('--ca <file>', 'trust these certificate authorities, too'));
  return withCommon(withRegistry(command)).action(
    async (refs: string[], options: UntagCommandOptions & CommonOptions) => {
      const { untagReferences } = await import('../commands/untag.ts');
      await execute((context) => untagReferences(refs, options, context), options);
    },
  );
}
