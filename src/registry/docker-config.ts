import * as v from 'valibot';
import type { ContentOptions } from '../content/source.ts';
import { DrayageError } from '../errors.ts';
import { parseSecretJson } from '../oci/json.ts';
import { goObject } from '../oci/go-object.ts';
import { match } from '../oci/match.ts';
import { objectSchema, optional, textSchema } from '../oci/parse.ts';
import type { HelperOptions } from './credential-helper.ts';
import type { Credential, Credentials } from './credentials.ts';
import { shellWord } from '../text/shell-word.ts';

/** The names under which docker keeps the credentials of Docker Hub. */
const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';
/** The user name by which a helper marks an identity token. */
const TOKEN_USER = '<token>';

/** The entries are read when their registry is asked for: one that is malformed costs no other. */
const configSchema = goObject({
  auths: optional(objectSchema),
  credHelpers: optional(objectSchema),
  credsStore: optional(v.string()),
});

const entrySchema = goObject({
  auth: textSchema,
  username: textSchema,
  password: textSchema,
  identitytoken: textSchema,
  registrytoken: textSchema,
});

type DockerConfig = v.InferOutput<typeof configSchema>;

/** Options of {@link dockerConfigCredentials}. */
export interface DockerConfigOptions extends HelperOptions {
  /** Names the document in errors: the path of the file, the name of the variable. */
  name: string;
}

/**
 * The credentials in docker's `config.json`, in docker's order: the helper of this registry (`credHelpers`), the common
 * store (`credsStore`), the file itself (`auths`).
 * @param text the document
 * @throws {@link DrayageError} `MALFORMED`; the error quotes nothing of the document
 */
export function dockerConfigCredentials(text: string, options: DockerConfigOptions): Credentials {
  const config = parseConfig(text, options.name);
  return async (host, { signal }: ContentOptions = {}) => {
    let failure: unknown;
    try {
      const found = await askHelper(config, host, { ...options, signal });
      if (found !== undefined) return found;
    } catch (error) {
      failure = error;
    }
    const found = credentialIn(config, host, options.name);
    if (found === undefined && failure !== undefined) throw failure;
    return found;
  };
}

/** Asks the helper of this registry, else the common store; undefined if there is none, or if it knows nothing. */
async function askHelper(
  { credHelpers = {}, credsStore = '' }: DockerConfig,
  host: string,
  options: DockerConfigOptions & ContentOptions,
): Promise<Credential | undefined> {
  const key = keyOf(host);
  const named = [key, host].find((one) => Object.hasOwn(credHelpers, one));
  const helper = match(textSchema, named === undefined ? credsStore : credHelpers[named]);
  if (helper.problem !== undefined) throw malformed(options.name, `the helper of ${host}`);
  if (helper.value === '') return undefined;
  const { askCredentialHelper } = await import('./credential-helper.ts');
  const answer = await askCredentialHelper(helper.value, key, options);
  if (answer === undefined) return undefined;
  const { username, secret } = answer;
  return username === TOKEN_USER ? { identityToken: secret } : { username, password: secret };
}

/** The key under which docker's client keeps a registry. */
function keyOf(host: string): string {
  return host === DOCKER_HUB ? DOCKER_HUB_KEY : host;
}

/** The registries that such a document names. With a common store, others may be in it. */
export interface DockerConfigHosts {
  /** As references name them. */
  hosts: string[];
  /** The common store: `docker-credential-<name>` is asked for every registry. */
  store: string | undefined;
}

/**
 * Reads which registries docker's `config.json` names. Asks no helper.
 * @throws {@link DrayageError} `MALFORMED`; the error quotes nothing of the document
 */
export function dockerConfigHosts(text: string, name: string): DockerConfigHosts {
  const { auths = {}, credHelpers = {}, credsStore } = parseConfig(text, name);
  const keys = [...Object.keys(auths), ...Object.keys(credHelpers)];
  return { hosts: [...new Set(keys.map(hostOf).filter(isHost))], store: credsStore || undefined };
}

function parseConfig(text: string, name: string): DockerConfig {
  const value = parseSecretJson(Buffer.from(text), name, { hint: 'docker login writes it again' });
  const result = v.safeParse(configSchema, value);
  if (result.success) return result.output;
  throw malformed(name, v.getDotPath(result.issues[0]) ?? 'it');
}

/** The error for a part of the document, without the value found there, which may be a secret. */
function malformed(name: string, part: string): DrayageError {
  return new DrayageError('MALFORMED', `${name}: ${part} does not have the form of docker's configuration`, {
    hint: 'docker login writes it again',
  });
}

/**
 * The credential in `auths`. As for docker's client, the registry's own key goes before addresses of it, as older
 * clients wrote them, even if nothing is in it. Among addresses, one without a further path goes first.
 */
function credentialIn({ auths = {} }: DockerConfig, host: string, name: string): Credential | undefined {
  const own = keyOf(host);
  const others = Object.keys(auths).filter((key) => hostOf(key) === host);
  const [whole, deeper] = [others.filter(isWhole), others.filter((key) => !isWhole(key))];
  for (const key of Object.hasOwn(auths, own) ? [own] : [...whole, ...deeper]) {
    const found = credentialOf(auths[key], host, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The credential in an entry of `auths`, as docker's client chooses among its properties. */
function credentialOf(value: unknown, host: string, name: string): Credential | undefined {
  const entry = match(optional(entrySchema), value);
  if (entry.problem !== undefined) throw malformed(name, `the entry of ${host} in "auths"`);
  if (entry.value === undefined) return undefined;
  const {
    registrytoken: registryToken,
    identitytoken: identityToken,
    auth,
    username,
    password,
  } = entry.value;
  if (registryToken !== '') return { registryToken };
  if (identityToken !== '') return { identityToken };
  if (auth !== '') return decodeAuth(auth, host, name);
  return username !== '' && password !== '' ? { username, password } : undefined;
}

/** Whether a key means a registry, not a path in it: `https://registry.example/v2/`. */
function isWhole(key: string): boolean {
  return /^(?:https?:\/\/)?[^/]*(?:\/(?:v[12]\/?)?)?$/.test(key);
}

/** Keys are hosts, or addresses as older `docker login` wrote them: `https://registry.example/v2/`. */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, '').replace(/\/.*$/s, '');
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? DOCKER_HUB : host;
}

/** An address with a user name names no registry: references have none. */
function isHost(text: string): boolean {
  return !text.includes('@');
}

function decodeAuth(auth: string, host: string, name: string): Credential {
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  // docker pads the text with zeros.
  const password = text.slice(colon + 1).replace(/\0+$/, '');
  if (colon > 0) return { username: text.slice(0, colon), password };
  throw new DrayageError('MALFORMED', `${name}: the "auth" of ${host} is not the base64 of name:password`, {
    hint: `docker login ${shellWord(host)} writes it again`,
  });
}
