import type { Command } from 'commander';
import { Option } from 'commander';
import { collectHosts } from './hosts.ts';

/** An option that may also come as a variable: `--out` as DRAYAGE_OUT. */
export function option(flags: string, description: string): Option {
  const made = new Option(flags, description);
  const variable = `DRAYAGE_${made.name().toUpperCase().replaceAll('-', '_')}`;
  const value = process.env[variable];
  // CI systems set variables to nothing where they mean to unset them; and a flag may be switched off.
  const unset = value === undefined || value === '' || (made.isBoolean() && /^(?:0|false|no)$/i.test(value));
  return unset ? made : made.env(variable);
}

/** An option that may be given several times, and takes nothing of the arguments behind its value. */
export function repeatable(flags: string, description: string): Option {
  return option(flags, description).argParser((value, before: string[] | undefined) => [
    ...(before ?? []),
    value,
  ]);
}

function expectOption(): Option {
  return option(
    '--expect <key=value...>',
    'where images come from, instead of this pipeline and commit: KEY=V[,V], KEY=any, none',
  );
}

export function offlineOption(): Option {
  return option('--offline', 'never ask a registry for layers that are left out of a layout');
}

export function caOption(): Option {
  return option('--ca <file>', 'trust these certificate authorities, too');
}

export function hostOption(): Option {
  return option(
    '--host <address>',
    'the daemon: unix:///…, tcp://… or ssh://…; default $DOCKER_HOST, $DOCKER_CONTEXT, the current context, the local socket',
  );
}

export function envOption(): Option {
  return option(
    '--env <key...>',
    'a further variable, KEY or KEY=IMAGE: of the reference, or of KEY_DIGEST, KEY_ID',
  );
}

export function withCommon(command: Command): Command {
  return command
    .addOption(option('--json', 'one JSON document on standard output'))
    .addOption(option('-q, --quiet', 'references only'))
    .addOption(option('--debug', 'the stack of an error'));
}

/** Options of what reads a job's artifact. */
export function withJob(command: Command): Command {
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
export function withRegistry(command: Command): Command {
  const flag = option(
    '--plain-http <host[:port]>',
    'speak plain http with this registry, which is not on the loopback; may be repeated',
  );
  return command.addOption(flag.argParser(collectHosts));
}

/** Options of what signs. */
export function withSigning(command: Command): Command {
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
    )
    .addOption(
      option(
        '--expect <key=value...>',
        'sign what says that it is of another job, too: KEY=V[,V], KEY=any, none',
      ),
    );
}

/** Options of what asks where images come from, and whose signature they carry. */
export function withSignature(command: Command): Command {
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
