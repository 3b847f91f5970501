import type { CodecName } from '../../index.ts';
import type { CommonOptions } from '../context.ts';
import type { SaveCommandOptions } from '../save-request.ts';
import type { MakeCommand, Options } from './command.ts';
import { command } from './command.ts';
import {
  CACHE,
  HOST,
  IMAGE,
  JOB,
  JOB_OF_BASE,
  LOCK,
  OFFLINE,
  REGISTRY,
  SIGNATURE,
  SIGNING,
  VARIABLES,
  platformOption,
  wholeNumber,
} from './options.ts';

/** All codecs. The library is not loaded to list them, and a missing one does not compile. */
const CODECS: Record<CodecName, true> = { auto: true, zstd: true, gzip: true, none: true };

/** Options of a save. */
const SAVE: Options<Omit<SaveCommandOptions, keyof CommonOptions>> = {
  iidfile: ['--iidfile <file>', 'save the image whose ID is in this file (from docker build --iidfile)'],
  metadataFile: [
    '--metadata-file <file>',
    'save the images in this file (from docker build or bake --metadata-file)',
  ],
  from: [
    '--from <source>',
    'save from an archive, a layout folder, oci:DIR[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], or - (standard input, also as FILE) instead of a daemon; adopts images in place if it is the folder that is saved into',
  ],
  out: ['-o, --out <dir>', 'the layout to save into; default .drayage/$CI_JOB_ID, else .drayage/images'],
  thin: [
    '--thin <when>',
    'omit the layers of base images that a registry has; default auto',
    { choices: ['auto', 'always', 'never'] },
  ],
  base: ['--base <ref...>', 'the base image, in its registry', { is: 'reference' }],
  baseLayout: [
    '--base-layout <dir...>',
    'omit the layers that this layout or archive has; load needs it, too',
  ],
  baseJob: ['--base-job <name...>', "omit what an earlier job's artifact has; none for no base"],
  ...JOB_OF_BASE,
  keep: ['--keep <time>', 'use no base job that expires within this time; default 1d'],
  compress: ['--compress <codec>', 'auto, zstd, gzip or none', { choices: Object.keys(CODECS) }],
  level: ['--level <n>', 'compression level; default 1', { parse: wholeNumber }],
  platform: platformOption('save'),
  maxSize: ['--max-size <size>', 'refuse to make the layout larger than this, such as 500MB', { is: 'size' }],
  oneRequest: [
    '--one-request',
    'request all images from the daemon at once; leaks disk space on a long-lived daemon',
  ],
  host: HOST,
  sticky: [
    '--sticky',
    'save a reference only: the image stays in the daemon, for jobs of this pipeline that share a lasting daemon',
  ],
  shared: ['--shared', 'with --sticky: this daemon outlasts the job, although its address is tcp'],
  sign: ['--sign', "sign the saved images with this job's provenance; see drayage sign"],
  ...LOCK,
  ...VARIABLES,
  ...SIGNING,
  ...REGISTRY,
};

/** Commands that speak to a daemon. */
export const DAEMON_COMMANDS: readonly MakeCommand[] = [
  command({
    name: 'save',
    summary: 'daemon (or archive, or layout) -> layout',
    description: 'Saves images into an OCI image layout: all of them, or, after any failure, none.',
    arguments: [['[image...]', 'names or IDs; default for an archive or another layout: all images']],
    load: async () => (await import('../commands/save.ts')).saveImages,
    options: SAVE,
  }),
  command({
    name: 'load',
    summary: 'layouts -> daemon',
    description: 'Loads images out of layouts into the daemon and verifies that they are there.',
    arguments: [
      [
        '[layout...]',
        'layouts, oci-archive:FILE or docker-archive:FILE; default: every layout below .drayage',
      ],
    ],
    load: async () => (await import('../commands/load.ts')).loadImages,
    options: {
      image: IMAGE,
      tag: [
        '--tag <ref...>',
        'give the loaded image further names; needs exactly one image',
        { is: 'reference' },
      ],
      platform: platformOption('load'),
      to: [
        '--to <target>',
        'write to oci:DIR, oci-archive:FILE or docker-archive:FILE (each with :NAME for another name; FILE may be -, standard output), or - (a docker archive), instead of the daemon',
      ],
      full: ['--full', 'send all layers, also those that the daemon has'],
      shared: [
        '--shared',
        'set only the unique tag, because other jobs use this daemon',
        { conflicts: 'private' },
      ],
      private: ['--private', 'restore the names, as docker load does'],
      // Not --env-file: Node takes that option itself, and fails if the file does not exist yet.
      dotenv: ['--dotenv <file>', 'write the references to this file as variables: DRAYAGE_APP_REF=…'],
      offline: OFFLINE,
      ...LOCK,
      host: HOST,
      ...VARIABLES,
      ...JOB,
      ...CACHE,
      ...SIGNATURE,
      ...REGISTRY,
    },
  }),
  command({
    name: 'doctor',
    summary: 'why something will not work here',
    description:
      'Says what a save with the same arguments would find here: Node, job, daemon, limits, credentials, hosts, cache. ' +
      'With images it also tries that save, and keeps nothing. Ends with the exit code of that save.',
    arguments: [['[image...]', 'names or IDs, as for save']],
    reportsMistakes: true,
    load: async () => (await import('../commands/doctor.ts')).diagnoseHere,
    options: { ...SAVE, ...CACHE },
  }),
  command({
    name: 'unload',
    summary: "removes the tags that this job's loads created",
    description:
      "Removes the tags that this CI job's loads created in the daemon, and each image with its last tag. " +
      'Keeps tags that another job holds or a container uses. For after_script.',
    arguments: [],
    load: async () => (await import('../commands/unload.ts')).unloadImages,
    options: {
      olderThan: [
        '--older-than <age>',
        "remove any job's tags that are older than this, such as 30m, 24h, 7d",
        { is: 'age', conflicts: 'pipeline' },
      ],
      // A variable of this name is the pipeline of other commands, and must not end what all jobs need.
      pipeline: [
        '--pipeline',
        'remove the tags of what this pipeline saved with --sticky, unless a job still holds them',
        { variable: false },
      ],
      host: HOST,
    },
  }),
];
