import { Command, Option } from 'commander';
import type { DiffCommandOptions } from './commands/diff.ts';
import type { FetchCommandOptions } from './commands/fetch.ts';
import type { InspectCommandOptions } from './commands/inspect.ts';
import type { LoadCommandOptions } from './commands/load.ts';
import type { MergeCommandOptions } from './commands/merge.ts';
import type { PromoteCommandOptions } from './commands/promote.ts';
import type { PruneCommandOptions } from './commands/prune.ts';
import type { SaveCommandOptions } from './commands/save.ts';
import type { SignCommandOptions } from './commands/sign.ts';
import type { UnloadCommandOptions } from './commands/unload.ts';
import type { UntagCommandOptions } from './commands/untag.ts';
import type { VerifyCommandOptions } from './commands/verify.ts';
import type { CommonOptions, Run } from './context.ts';
import { version } from './version.ts';

/** Runs a command and shows what came of it. */
type Execute = (run: Run, common: CommonOptions) => Promise<void>;

/** The command line: what may be said, and which command it means. Each command's code is loaded when it is used. */
export function createProgram(execute: Execute): Command {
  const program = new Command('drayage')
    .description('Carries docker images from one CI job to the next as regular job artifacts.')
    .version(version(), '-V, --version')
    .configureOutput({ outputError: () => {} });
  const commands = [
    saveCommand,
    loadCommand,
    unloadCommand,
    fetchCommand,
    mergeCommand,
    pruneCommand,
    inspectCommand,
    diffCommand,
    verifyCommand,
    signCommand,
    promoteCommand,
    untagCommand,
  ];
  for (const command of commands) {
    program.addCommand(command(execute).copyInheritedSettings(program).exitOverride());
  }
  return program.exitOverride();
}

function saveCommand(execute: Execute): Command {
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
    .addOption(
      option('--base <ref>', 'the image that it is built on, in its registry; may be given again').argParser(
        collect,
      ),
    )
    .addOption(caOption())
    .addOption(
      option(
        '--base-layout <dir>',
        'leave out the layers that this layout holds; it has to be there on load; may be given again',
      ).argParser(collect),
    )
    .addOption(
      option('--compress <codec>', 'auto, zstd, gzip or none').choices(['auto', 'zstd', 'gzip', 'none']),
    )
    .addOption(option('--level <n>', 'compression level; default 1').argParser(Number))
    .addOption(option('--platform <platform>', 'of a multi-platform image only the one for this platform'))
    .addOption(envOption())
    .addOption(option('--max-size <size>', 'refuse to make the layout larger than this, such as 500MB'))
    .addOption(
      option('--one-request', 'ask the daemon for all images at once; leaks disk space on one that lives on'),
    )
    .addOption(hostOption())
    .addOption(option('--sign', 'sign what is saved: says which job built it; see drayage sign'));
  return withCommon(withSigning(command)).action(
    async (images: string[], options: SaveCommandOptions & CommonOptions) => {
      const { saveImages } = await import('./commands/save.ts');
      await execute((context) => saveImages(images, options, context), options);
    },
  );
}

function loadCommand(execute: Execute): Command {
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
  return withCommon(withSignature(withJob(command))).action(
    async (layouts: string[], options: LoadCommandOptions & CommonOptions) => {
      const { loadImages } = await import('./commands/load.ts');
      await execute((context) => loadImages(layouts, options, context), options);
    },
  );
}

function unloadCommand(execute: Execute): Command {
  const command = new Command('unload')
    .summary('gives back what this job has loaded')
    .description(
      'Takes away the names that the loads of this GitLab job have set in the daemon, and the images with their last name, ' +
        'but for those that another job holds or a container uses. For after_script.',
    )
    .addOption(option('--older-than <age>', 'instead: what any job loaded longer ago than 30m, 24h, 7d'))
    .addOption(hostOption());
  return withCommon(command).action(async (options: UnloadCommandOptions & CommonOptions) => {
    const { unloadImages } = await import('./commands/unload.ts');
    await execute((context) => unloadImages(options, context), options);
  });
}

function fetchCommand(execute: Execute): Command {
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
  return withCommon(withSignature(withJob(command))).action(
    async (layouts: string[], options: FetchCommandOptions & CommonOptions) => {
      const { fetchImages } = await import('./commands/fetch.ts');
      await execute((context) => fetchImages(layouts, options, context), options);
    },
  );
}

function mergeCommand(execute: Execute): Command {
  const command = new Command('merge')
    .summary('layouts -> one layout')
    .description(
      'Makes one layout of several. Images of several platforms under one name become one multi-platform image.',
    )
    .argument('[layout...]', 'layouts; default: every other one below .drayage')
    .addOption(option('-o, --out <dir>', 'the layout to merge into; default .drayage/$CI_JOB_ID'))
    .addOption(option('-i, --image <name...>', 'only these images: names, digests or IDs'))
    .addOption(expectOption())
    .addOption(envOption());
  return withCommon(command).action(
    async (layouts: string[], options: MergeCommandOptions & CommonOptions) => {
      const { mergeLayouts } = await import('./commands/merge.ts');
      await execute((context) => mergeLayouts(layouts, options, context), options);
    },
  );
}

function pruneCommand(execute: Execute): Command {
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
      const { pruneLayouts } = await import('./commands/prune.ts');
      await execute((context) => pruneLayouts(layouts, options, context), options);
    },
  );
}

function inspectCommand(execute: Execute): Command {
  const command = new Command('inspect')
    .summary('what is in layouts')
    .description('Says what is in layouts: images, names, digests, layers, sizes, what is shared.')
    .argument('[layout...]', 'layouts; default: every one below .drayage')
    .addOption(option('--html <file>', 'write it as a page, with the instruction that made each layer, too'));
  return withCommon(command).action(
    async (layouts: string[], options: InspectCommandOptions & CommonOptions) => {
      const { inspectLayouts } = await import('./commands/inspect.ts');
      await execute((context) => inspectLayouts(layouts, options, context), options);
    },
  );
}

function diffCommand(execute: Execute): Command {
  const command = new Command('diff')
    .summary('what two layouts or images share')
    .description(
      'Tells which layers two layouts or images share, which one has alone, and how configs differ.',
    )
    .argument('<a>', 'a layout, or oci:DIR:NAME for one image of it')
    .argument('<b>', 'another one, or the same with another NAME')
    .addOption(option('-i, --image <name...>', 'of layouts only these images: names, digests or IDs'));
  return withCommon(command).action(
    async (a: string, b: string, options: DiffCommandOptions & CommonOptions) => {
      const { diffLayouts } = await import('./commands/diff.ts');
      await execute((context) => diffLayouts([a, b], options, context), options);
    },
  );
}

function verifyCommand(execute: Execute): Command {
  const command = new Command('verify')
    .summary('check every digest, size and diffID of layouts')
    .description(
      'Reads everything in layouts and checks it. With a trusted root or a key it also checks who made the images.',
    )
    .argument('[layout...]', 'layouts; default: every one below .drayage');
  return withCommon(withSignature(command)).action(
    async (layouts: string[], options: VerifyCommandOptions & CommonOptions) => {
      const { verifyLayouts } = await import('./commands/verify.ts');
      await execute((context) => verifyLayouts(layouts, options, context), options);
    },
  );
}

function signCommand(execute: Execute): Command {
  const command = new Command('sign')
    .summary('says, signed, which job built the images of a layout')
    .description(
      'Signs images in the GitLab job that built them: SLSA provenance, kept in the layout beside each image.',
    )
    .argument('[layout]', 'default: .drayage/$CI_JOB_ID')
    .addOption(option('-i, --image <name...>', 'only these images: names, digests or IDs'));
  return withCommon(withSigning(command)).action(
    async (layout: string | undefined, options: SignCommandOptions & CommonOptions) => {
      const { signImages } = await import('./commands/sign.ts');
      await execute((context) => signImages(layout, options, context), options);
    },
  );
}

function promoteCommand(execute: Execute): Command {
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
        '--mount-from <repository>',
        'may hold layers already, which are not sent then; may be repeated',
      ),
    )
    .addOption(envOption());
  return withCommon(withRegistry(withSignature(withJob(command)))).action(
    async (image: string | undefined, refs: string[], options: PromoteCommandOptions & CommonOptions) => {
      const { promoteImages } = await import('./commands/promote.ts');
      const args = image === undefined ? [] : [image, ...refs];
      await execute((context) => promoteImages(args, options, context), options);
    },
  );
}

function untagCommand(execute: Execute): Command {
  const command = new Command('untag')
    .summary('takes tags away from registries')
    .description('Takes tags away. What they meant stays under its other tags and its digest.')
    .argument('<ref...>', 'registry.example/group/app:pr-12')
    .addOption(option('--ca <file>', 'trust these certificate authorities, too'));
  return withCommon(withRegistry(command)).action(
    async (refs: string[], options: UntagCommandOptions & CommonOptions) => {
      const { untagReferences } = await import('./commands/untag.ts');
      await execute((context) => untagReferences(refs, options, context), options);
    },
  );
}

function envOption(): Option {
  return option(
    '--env <key...>',
    'a further variable, KEY or KEY=IMAGE: of the reference, or of KEY_DIGEST, KEY_ID',
  );
}

function expectOption(): Option {
  return option(
    '--expect <key=value...>',
    'where images come from, instead of this pipeline and commit: KEY=V[,V], KEY=any, none',
  );
}

function offlineOption(): Option {
  return option('--offline', 'never ask a registry for layers that are left out of a layout');
}

function caOption(): Option {
  return option('--ca <file>', 'trust these certificate authorities, too');
}

function hostOption(): Option {
  return option(
    '--host <address>',
    'the daemon: unix:///…, tcp://… or ssh://…; default $DOCKER_HOST, $DOCKER_CONTEXT, the current context, the local socket',
  );
}

/** Options of what signs. */
function withSigning(command: Command): Command {
  return command
    .addOption(option('--key <file>', 'sign with this private key: PEM, or cosign.key and $COSIGN_PASSWORD'))
    .addOption(option('--keyless', 'sign as this job, by the token in $SIGSTORE_ID_TOKEN'))
    .addOption(option('--fulcio-url <url>', 'the certificate authority of your own sigstore'))
    .addOption(option('--rekor-url <url>', 'the transparency log to enter signatures into'))
    .addOption(option('--tsa-url <url>', 'the timestamp authority'))
    .addOption(
      option(
        '--public-sigstore',
        'the public certificate authority and log, which publish the signature for ever',
      ),
    );
}

/** Options of what asks where images come from, and whose signature they carry. */
function withSignature(command: Command): Command {
  return command
    .addOption(expectOption())
    .addOption(option('--expect-signed', 'refuse what carries no signature of this project and commit'))
    .addOption(
      option('--trusted-root <file>', 'whose certificates, logs and timestamps count (trusted_root.json)'),
    )
    .addOption(option('--key <file>', 'the public keys that may have signed, as PEM'))
    .addOption(option('--identity <identity...>', 'who may have signed, as it stands in the certificate'))
    .addOption(
      option('--identity-regexp <pattern>', 'the same as a pattern, which has to fit the whole of it'),
    )
    .addOption(option('--issuer <url>', 'who vouches for the identity: the address of the GitLab instance'));
}

/** Options of what reads a job's artifact. */
function withJob(command: Command): Command {
  return command
    .addOption(option('--job <name>', "from this job's artifact: of this pipeline").conflicts('jobId'))
    .addOption(
      option('--job-id <id>', 'from the artifact of the job with this ID').conflicts(['pipeline', 'ref']),
    )
    .addOption(option('--project <id>', 'of another project: its ID or path; default $CI_PROJECT_ID'))
    .addOption(option('--pipeline <id>', 'of another pipeline; default $CI_PIPELINE_ID').conflicts('ref'))
    .addOption(option('--ref <name>', 'of the latest successful pipeline of this branch or tag'))
    .addOption(option('--cache <dir>', 'keep blobs in this folder, which outlives the job'))
    .addOption(
      option('--cache-scope <scope>', 'who shares the cache; default project').choices(['project', 'shared']),
    )
    .addOption(option('--cache-size <size>', 'how much the cache holds, such as 20GB; default 10 GiB'))
    .addOption(caOption());
}

/** Options of what speaks to registries. */
function withRegistry(command: Command): Command {
  return command.addOption(
    option('--plain-http', 'speak plain http with registries: not only on the loopback'),
  );
}

/** An option that may be given several times, and takes nothing of the arguments behind its value. */
function repeatable(flags: string, description: string): Option {
  return option(flags, description).argParser((value, before: string[] | undefined) => [
    ...(before ?? []),
    value,
  ]);
}

function withCommon(command: Command): Command {
  return command
    .addOption(option('--json', 'one JSON document on standard output'))
    .addOption(option('-q, --quiet', 'references only'))
    .addOption(option('--debug', 'the stack of an error'));
}

/** An option that may be given again and again, without taking the arguments that follow it. */
function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** An option that may also come as a variable: `--out` as DRAYAGE_OUT. */
function option(flags: string, description: string): Option {
  const made = new Option(flags, description);
  const variable = `DRAYAGE_${made.name().toUpperCase().replaceAll('-', '_')}`;
  const value = process.env[variable];
  // CI systems set variables to nothing where they mean to unset them; and a flag may be switched off.
  const unset = value === undefined || value === '' || (made.isBoolean() && /^(?:0|false|no)$/i.test(value));
  return unset ? made : made.env(variable);
}
