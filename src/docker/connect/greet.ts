import * as v from 'valibot';
import type { ContentOptions } from '../../content/source.ts';
import { DrayageError } from '../../errors.ts';
import type { Platform } from '../../oci/platform.ts';
import type { DaemonInfo } from './info.ts';
import { readInfo } from './info.ts';
import { errorMessage, drain, readJson } from './reply.ts';
import type { DaemonReply, Transport } from './transport.ts';

/** What tells kinds of daemons apart. */
export interface DaemonSigns {
  /** A header of the daemon's first reply. */
  header: (name: string) => string | undefined;
  /** What it says of itself. It is asked once. */
  info: () => Promise<DaemonInfo>;
}

/** Tells the kind of a daemon. */
export type Identify<Kind> = (signs: DaemonSigns) => Promise<Kind>;

/** Facts about a daemon. */
export interface DaemonFacts<Kind> {
  kind: Kind;
  /** The version of the API for all further requests. */
  apiVersion: string;
  serverVersion: string;
  platform: Platform;
  /** What it says of itself, if its kind could not be told without that. */
  info: DaemonInfo | undefined;
}

/** The newest version of the API that this library knows. */
const NEWEST_API = '1.51';
/** docker 19.03. */
const OLDEST_API = '1.40';

const versionSchema = v.looseObject({
  Version: v.string(),
  Os: v.string(),
  Arch: v.string(),
});

/**
 * Asks a daemon for its kind and versions, and agrees with it on a version of the API.
 * @param timeout how long to wait for its first reply, in ms
 * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`; `UNSUPPORTED` if it is not docker, too old, or too new
 */
export async function greet<Kind>(
  transport: Transport,
  timeout: number,
  identify: Identify<Kind>,
  options: ContentOptions,
): Promise<DaemonFacts<Kind>> {
  const pong = await transport.open({ ...options, path: '/_ping', timeout });
  const apiVersion = agreeOn(await offeredVersion(transport, pong));
  transport.useVersion(apiVersion);
  const version = await readJson(
    versionSchema,
    await transport.open({ ...options, path: '/version' }),
    'version',
  );
  let info: Promise<DaemonInfo> | undefined;
  const kind = await identify({
    header: (name) => pong.header(name),
    info: () => (info ??= readInfo(transport, options)),
  });
  const platform = { os: version.Os, architecture: version.Arch };
  return { kind, apiVersion, serverVersion: version.Version, platform, info: await info };
}

/** Whether version `a` of the API is at least `b`. */
export function atLeast(a: string, b: string): boolean {
  return minor(a) >= minor(b);
}

async function offeredVersion({ host }: Transport, pong: DaemonReply): Promise<string> {
  const offered = pong.header('api-version');
  if (pong.status < 300 && offered !== undefined && Number.isInteger(minor(offered))) {
    await drain(pong);
    return offered;
  }
  const message = await errorMessage(pong);
  const isTls = /HTTPS server/i.test(message);
  throw new DrayageError(
    'UNSUPPORTED',
    `the server at ${host.name} does not answer as docker does: ${message}`,
    {
      url: host.name,
      status: pong.status,
      reason: isTls ? undefined : 'DAEMON_ADDRESS',
      hint: isTls
        ? 'that port speaks TLS: set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem (in GitLab: DOCKER_TLS_CERTDIR: /certs)'
        : 'set DOCKER_HOST to the address of a docker daemon',
    },
  );
}

function agreeOn(offered: string): string {
  if (!atLeast(offered, OLDEST_API)) {
    throw new DrayageError(
      'UNSUPPORTED',
      `this docker speaks version ${offered} of the API; ${OLDEST_API} is the oldest supported`,
      {
        expected: OLDEST_API,
        actual: offered,
        hint: 'use docker 19.03 or later',
      },
    );
  }
  return atLeast(offered, NEWEST_API) ? NEWEST_API : offered;
}

/** The number after `1.`, which is the whole version of this API. */
function minor(version: string): number {
  return /^1\.\d+$/.test(version) ? Number(version.slice(2)) : Number.NaN;
}
