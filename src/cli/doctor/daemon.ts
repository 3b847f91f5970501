import type { FoundDockerHost } from '../../index.ts';
import { connectTo, findDaemon, isShared } from '../daemon.ts';
import type { Check } from './check.ts';
import { examine } from './check.ts';
import type { DoctorInput } from './input.ts';

const UNNAMED = {
  host: '--host',
  default: "docker's default: no option, variable or context names another",
};

/** The daemon: its kind and version, and what decided about its address. */
export async function checkDaemon({ options, context }: DoctorInput): Promise<Check> {
  const { from, host } = options;
  if (from !== undefined) {
    return examine('daemon', 'fail', async (facts) => ({
      status: 'ok',
      message: `--from ${from} is read: no daemon is asked`,
      facts,
    }));
  }
  let why = '';
  const check = await examine('daemon', 'fail', async (facts) => {
    const { address, because } = await findDaemon(host, context);
    why = `the address comes from ${describeReason(because)}`;
    Object.assign(facts, { address: address.host, because, tls: address.tls ?? null });
    await using daemon = await connectTo(address, context);
    const { kind, serverVersion, apiVersion } = daemon;
    const { os, architecture } = await daemon.platform();
    const shared = isShared(daemon.host, context.env);
    Object.assign(facts, {
      address: daemon.host,
      kind,
      serverVersion,
      apiVersion,
      platform: `${os}/${architecture}`,
      shared,
    });
    const message = `${daemon.title}, version ${serverVersion} (API ${apiVersion}), at ${daemon.host}`;
    return { status: 'ok', message: `${message}${shared ? '; other jobs may share it' : ''}`, facts };
  });
  return why === '' ? check : { ...check, message: `${check.message}; ${why}` };
}

/** What decided about the address, for people. */
function describeReason(because: FoundDockerHost['because']): string {
  if (because.by === 'context')
    return `the docker context ${JSON.stringify(because.name)} in ${because.chosenIn}`;
  if (because.by !== 'variable') return UNNAMED[because.by];
  return because.name === 'DOCKER_TLS_CERTDIR'
    ? 'DOCKER_TLS_CERTDIR, which stands for the service docker:dind'
    : because.name;
}
