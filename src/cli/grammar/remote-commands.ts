import type { MakeCommand } from './command.ts';
import { command } from './command.ts';
import {
  BASE,
  BASE_JOB,
  CACHE,
  HOST,
  IMAGE,
  JOB,
  LOCK,
  OFFLINE,
  REGISTRY,
  SIGNATURE,
  VARIABLES,
} from './options.ts';

/** Commands that speak to GitLab and to registries. */
export const REMOTE_COMMANDS: readonly MakeCommand[] = [
  command({
    name: 'fetch',
    summary: "a job's artifact -> layout",
    description:
      "Brings a GitLab job's images here through the artifact API: only the blobs that are missing.",
    arguments: [
      ['[layout...]', 'without a job, the layouts to --complete; default: every one below .drayage'],
    ],
    load: async () => (await import('../commands/fetch.ts')).fetchFromJob,
    options: {
      image: IMAGE,
      out: ['-o, --out <dir>', 'the layout to write to; default .drayage/<job id>'],
      complete: ['--complete', 'also fetch omitted layers'],
      offline: OFFLINE,
      ...LOCK,
      ...JOB,
      ...CACHE,
      ...SIGNATURE,
      ...REGISTRY,
    },
  }),
  command({
    name: 'promote',
    summary: 'layouts -> registries',
    description:
      'Copies images into registries, under the digests that they have in the layout: only missing content, tags last. ' +
      'References may contain variables such as $CI_COMMIT_SHA.',
    arguments: [
      ['[image]', 'the name, digest or ID of an image in the layouts'],
      ['[ref...]', 'the targets: registry.example/group/app:1.2, any number of tags and registries'],
    ],
    load: async () => (await import('../commands/promote.ts')).promoteImages,
    options: {
      from: [
        '--from <layout...>',
        'a layout, oci-archive:FILE or docker-archive:FILE; default: every layout below .drayage',
      ],
      all: ['--all', 'copy every image that has a name, to the references in --to'],
      to: ['--to <ref...>', "a target; with --all 'registry.example/group/{name}:{tag}'"],
      semver: ['--semver', 'give references without a tag those of $CI_COMMIT_TAG: v1.2.3 is 1.2.3, 1.2, 1'],
      ifAbsent: ['--if-absent', 'refuse to move a tag that means another image'],
      attach: [
        '--attach <type...>',
        'if a signature is required, also copy attached documents of this type, unchecked: an artifact type, .sig, .att, .sbom or all',
      ],
      base: BASE,
      host: HOST,
      baseJob: BASE_JOB,
      baseRef: [
        '--base-ref <name...>',
        'branches of the base job; default $CI_DEFAULT_BRANCH',
        // A variable of this name is the reference of an image named base, which a dotenv report brings to later jobs.
        { skipsEmpty: true, variable: false },
      ],
      mountFrom: ['--mount-from <repository...>', 'mount layers from this repository if it has them'],
      ...VARIABLES,
      ...JOB,
      ...CACHE,
      ...SIGNATURE,
      ...REGISTRY,
    },
  }),
  command({
    name: 'untag',
    summary: 'removes tags from registries',
    description: 'Removes tags. Their images stay under other tags and their digests.',
    arguments: [['<ref...>', 'registry.example/group/app:pr-12']],
    load: async () => (await import('../commands/untag.ts')).untagReferences,
    options: REGISTRY,
  }),
];
