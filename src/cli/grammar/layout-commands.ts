import type { MakeCommand } from './command.ts';
import { command } from './command.ts';
import {
  BASE,
  BASE_JOB,
  IMAGE,
  JOB_OF_BASE,
  LOCK,
  REGISTRY,
  SIGNATURE,
  SIGNING,
  VARIABLES,
} from './options.ts';

/** Commands about layouts alone. */
export const LAYOUT_COMMANDS: readonly MakeCommand[] = [
  command({
    name: 'sign',
    summary: "signs the images of a layout with this job's provenance",
    description:
      'Signs images in the CI job that built them, with SLSA provenance in the layout beside each image.',
    arguments: [['[layout]', 'default: .drayage/$CI_JOB_ID']],
    load: async () => (await import('../commands/sign.ts')).signImages,
    options: {
      image: IMAGE,
      base: BASE,
      baseLayout: ['--base-layout <dir...>', 'read omitted layers from this layout or archive'],
      baseJob: BASE_JOB,
      ...JOB_OF_BASE,
      ...SIGNING,
      ...LOCK,
      ...REGISTRY,
    },
  }),
  command({
    name: 'verify',
    summary: 'checks every digest, size and diffID of layouts',
    description:
      'Reads everything in layouts and checks it. With a trusted root or a key it also checks who built the images.',
    arguments: [['[layout...]', 'layouts; default: every one below .drayage']],
    load: async () => (await import('../commands/verify.ts')).verifyLayouts,
    options: SIGNATURE,
  }),
  command({
    name: 'merge',
    summary: 'layouts -> one layout',
    description:
      'Makes one layout of several. Images of several platforms under one name become one multi-platform image.',
    arguments: [['[layout...]', 'layouts and archives; default: every other layout below .drayage']],
    load: async () => (await import('../commands/merge.ts')).mergeLayouts,
    options: {
      out: ['-o, --out <dir>', 'the layout to merge into; default .drayage/$CI_JOB_ID'],
      image: IMAGE,
      ...LOCK,
      ...VARIABLES,
      ...SIGNATURE,
    },
  }),
  command({
    name: 'prune',
    summary: 'removes images and unreferenced content',
    description:
      'Removes images and their referrers from layouts, and all unreferenced content. ' +
      'Without options: only unreferenced content.',
    arguments: [['<layout...>', 'layouts']],
    load: async () => (await import('../commands/prune.ts')).pruneLayouts,
    options: {
      // Without a variable: DRAYAGE_IMAGE chooses an image for other commands, and must not remove it.
      image: ['-i, --image <name...>', 'remove these images: names, digests or IDs', { variable: false }],
      olderThan: [
        '--older-than <age>',
        'remove images older than this (24h, 7d), of those in --image or of all',
        { is: 'age', variable: false },
      ],
      dryRun: ['--dry-run', 'only report what would be removed'],
      ...LOCK,
    },
  }),
  command({
    name: 'inspect',
    summary: 'lists what is in layouts',
    description:
      'Lists the images in layouts: names, digests, layers, sizes, shared layers, attached documents.',
    arguments: [['[layout...]', 'layouts; default: every one below .drayage']],
    load: async () => (await import('../commands/inspect.ts')).inspectLayouts,
    options: {
      html: [
        '--html <file>',
        'write an HTML page, with the instruction that made each layer; - is standard output',
      ],
    },
  }),
  command({
    name: 'diff',
    summary: 'compares two layouts or images',
    description:
      'Lists the layers that two layouts or images share, the layers that only one has, and how configs differ.',
    arguments: [
      ['<a>', 'a layout, oci-archive:FILE or docker-archive:FILE; oci:DIR:NAME or FILE:NAME for one image'],
      ['<b>', 'another one, or the same one with another NAME'],
    ],
    load: async () => (await import('../commands/diff.ts')).diffLayouts,
    options: {
      image: [
        '-i, --image <name...>',
        'compare only these images of layouts and archives: names, digests or IDs',
      ],
    },
  }),
];
