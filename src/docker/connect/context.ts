import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { DrayageError } from '../../errors.ts';
import { goObject } from '../../oci/go-object.ts';
import { optional, parseDocument } from '../../oci/parse.ts';
import { isThere, readIfThere } from './files.ts';
import type { DockerTls } from './tls.ts';
import { shellWords } from '../../text/shell-word.ts';

/** The daemon that a docker context names. */
export interface ContextEndpoint {
  /** Empty for the default socket. */
  host: string;
  tls?: DockerTls;
}

const configSchema = goObject({ currentContext: optional(v.string()) });
const metaSchema = goObject({
  Name: v.string(),
  // A map in docker, whose keys are exact.
  Endpoints: v.looseObject({
    docker: optional(goObject({ Host: optional(v.string()), SkipTLSVerify: optional(v.boolean()) })),
  }),
});

/** The context that is neither stored nor looked up: docker's own defaults. */
const DEFAULT_CONTEXT = 'default';

/**
 * The context in `config.json` of docker's configuration folder.
 * @returns undefined if none is current, or the default one
 * @throws {@link DrayageError} `MALFORMED`, `IO`
 */
export async function currentContext(configFolder: string): Promise<string | undefined> {
  const path = join(configFolder, 'config.json');
  const bytes = await readConfig(path);
  if (bytes === undefined || bytes.length === 0) return undefined;
  return stored(parseDocument(configSchema, bytes, path).currentContext);
}

/** The name of a context to look up; undefined for the defaults. */
export function stored(name: string | undefined): string | undefined {
  return name === '' || name === DEFAULT_CONTEXT ? undefined : name;
}

/**
 * Reads a context.
 * @throws {@link DrayageError} `NOT_FOUND` with the existing names; `UNSUPPORTED` for a context of another program;
 * `MALFORMED`, `IO`
 */
export async function readContext(configFolder: string, name: string): Promise<ContextEndpoint> {
  const id = createHash('sha256').update(name).digest('hex');
  const path = join(configFolder, 'contexts', 'meta', id, 'meta.json');
  const bytes = await readConfig(path);
  if (bytes === undefined) throw await unknown(configFolder, name);
  const endpoint = parseDocument(metaSchema, bytes, path).Endpoints.docker;
  if (endpoint === undefined) {
    throw new DrayageError(
      'UNSUPPORTED',
      `the docker context ${JSON.stringify(name)} names no docker daemon`,
      {
        path,
        reason: 'DAEMON_ADDRESS',
        hint: 'set another DOCKER_CONTEXT, or DOCKER_HOST',
      },
    );
  }
  const { Host: host = '', SkipTLSVerify: skip = false } = endpoint;
  const certPath = join(configFolder, 'contexts', 'tls', id, 'docker');
  if (await isThere(certPath)) return { host, tls: { certPath, verify: !skip } };
  return skip ? { host, tls: { verify: false } } : { host };
}

async function unknown(configFolder: string, name: string): Promise<DrayageError> {
  const candidates = [DEFAULT_CONTEXT, ...(await contextNames(configFolder))];
  return new DrayageError('NOT_FOUND', `there is no docker context ${JSON.stringify(name)}`, {
    path: configFolder,
    candidates,
    hint: `set DOCKER_CONTEXT to one of: ${shellWords(candidates)}; or set DOCKER_HOST, which overrides it`,
  });
}

/** The names of the readable contexts. */
async function contextNames(configFolder: string): Promise<string[]> {
  const folder = join(configFolder, 'contexts', 'meta');
  const ids = await readdir(folder).catch(() => []);
  const names = await Promise.all(
    ids.map(async (id) => {
      try {
        return parseDocument(metaSchema, await readFile(join(folder, id, 'meta.json')), id).Name;
      } catch {
        return [];
      }
    }),
  );
  return names.flat().toSorted();
}

async function readConfig(path: string): Promise<Buffer | undefined> {
  return readIfThere(path, `docker's configuration ${path} cannot be read`);
}
