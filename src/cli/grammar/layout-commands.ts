import { Command, Option } from 'commander';
import type { DiffCommandOptions } from '../commands/diff.ts';
import type { InspectCommandOptions } from '../commands/inspect.ts';
import type { MergeCommandOptions } from '../commands/merge.ts';
import type { PruneCommandOptions } from '../commands/prune.ts';
import type { SignCommandOptions } from '../commands/sign.ts';
import type { VerifyCommandOptions } from '../commands/verify.ts';
import type { CommonOptions } from '../context.ts';
import type { Execute } from './execute.ts';
import { envOption, option, withCommon, withSignature, withSigning } from './options.ts';

// What is said to commands about layouts alone. Their code is loaded when they are used.

export function mergeCommand(execute: Execute): Command {
  const command = new Command('merge')
    .summary('layouts -> one layout')
    .description(
      'Makes one layout of several. Images of several platforms under one name become one multi-platform image.',
    )
    .argument('[layout...]', 'layouts and archives; default: every other layout below .drayage')
    .addOption(option('-o, --out <dir>', 'the layout to merge into; default .drayage/$CI_JOB_ID'))
    .addOption(option('-i, --image <name...>', 'only these images: names, digests or IDs'))
    .addOption(envOption());
  return withCommon(withSignature(command)).action(
    async (layouts: string[], options: MergeCommandOptions & CommonOptions) => {
      const { mergeLayouts } = await import('../commands/merge.ts');
      await execute((context) => mergeLayouts(layouts, options, context), options);
    },
  );
}

export function pruneCommand(execute: Execute): Command {
  const command = new Command('prune')
    .summary('frees what nothing refers to')
    .description(
      'Removes images from layouts, what refers to them, and all content that nothing leads to. ' +
        'Without options: just such content.',
    )
    .argument('<layout...>', 'layouts')
    // No variable may say what is removed: DRAYAGE_IMAGE chooses an image for other commands.
    .addOption(new Option('-i, --image <name...>', 'remove these images: names, digests or IDs'))
    .addOption(
      new Option(
        '--older-than <age>',
        'remove images, of those that are named or of all, older than 24h, 7d',
      ),
    )
    .addOption(option('--dry-run', 'only tell what would go'));
  return withCommon(command).action(
    async (layouts: string[], options: PruneCommandOptions & CommonOptions) => {
      const { pruneLayouts } = await import('../commands/prune.ts');
      await execute((context) => pruneLayouts(layouts, options, context), options);
    },
  );
}

export function inspectCommand(execute: Execute): Command {
  const command = new Command('inspect')
    .summary('what is in layouts')
    .description('Says what is in layouts: images, names, digests, layers, sizes, what is shared.')
    .argument('[layout...]', 'layouts; default: every one below .drayage')
    .addOption(option('--html <file>', 'write it as a page, with the instruction that made each layer, too'));
  return withCommon(command).action(
    async (layouts: string[], options: InspectCommandOptions & CommonOptions) => {
      const { inspectLayouts } = await import('../commands/inspect.ts');
      await execute((context) => inspectLayouts(layouts, options, context), options);
    },
  );
}

export function diffCommand(execute: Execute): Command {
  const command = new Command('diff')
    .summary('what two layouts or images share')
    .description(
      'Tells which layers two layouts or images share, which one has alone, and how configs differ.',
    )
    .argument(
      '<a>',
      'a layout, oci-archive:FILE or docker-archive:FILE; oci:DIR:NAME or FILE:NAME for one image',
    )
    .argument('<b>', 'another one, or the same with another NAME')
    .addOption(
      option('-i, --image <name...>', 'of layouts and archives only these images: names, digests or IDs'),
    );
  return withCommon(command).action(
    async (a: string, b: string, options: DiffCommandOptions & CommonOptions) => {
      const { diffLayouts } = await import('../commands/diff.ts');
      await execute((context) => diffLayouts([a, b], options, context), options);
    },
  );
}

export function verifyCommand(execute: Execute): Command {
  const command = new Command('verify')
    .summary('check every digest, size and diffID of layouts')
    .description(
      'Reads everything in layouts and checks it. With a trusted root or a key it also checks who made the images.',
    )
    .argument('[layout...]', 'layouts; default: every one below .drayage');
  return withCommon(withSignature(command)).action(
    async (layouts: string[], options: VerifyCommandOptions & CommonOptions) => {
      const { verifyLayouts } = await import('../commands/verify.ts');
      await execute((context) => verifyLayouts(layouts, options, context), options);
    },
  );
}

export function signCommand(execute: Execute): Command {
  const command = new Command('sign')
    .summary('says, signed, which job built the images of a layout')
    .description(
      'Signs images in the GitLab job that built them: SLSA provenance, kept in the layout beside each image.',
    )
    .argument('[layout]', 'default: .drayage/$CI_JOB_ID')
    .addOption(option('-i, --image <name...>', 'only these images: names, digests or IDs'));
  return withCommon(withSigning(command)).action(
    async (layout: string | undefined, options: SignCommandOptions & CommonOptions) => {
      const { signImages } = await import('../commands/sign.ts');
      await execute((context) => signImages(layout, options, context), options);
    },
  );
}
