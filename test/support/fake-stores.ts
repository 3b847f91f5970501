/** What the stores of daemons make of an archive that is loaded: which layers they need, and what they say. */
import * as v from 'valibot';
import { digestOf } from '../../src/oci/digest.ts';

/** An image in a fake daemon. */
export interface FakeImage {
  id: string;
  names: string[];
  diffIds: string[];
  /** Taken for the answer to inspect as it is. */
  extra?: Record<string, unknown>;
  /** Left out of the list, as docker 26 does with broken images. Default false. */
  unlisted?: boolean;
  /** Of a containerd store: the blobs of the image that are there. */
  content?: ReadonlyMap<string, Buffer>;
  /** Of a containerd store: the manifests of the image, and what they name. */
  manifests?: { digest: string; needs: string[] }[];
}

/** What comes of an archive. */
interface Outcome {
  image?: FakeImage;
  /** The names that the archive gives. */
  names: string[];
  /** Lines of the reply. */
  says: object[];
  /** Of the reply. Default 200. */
  status?: number;
}

/** What a store has. */
interface Holdings {
  images: readonly FakeImage[];
  /** ChainIDs of layers that only a build cache holds. */
  cache: ReadonlySet<string>;
}

type Files = ReadonlyMap<string, Buffer>;
/** One kind of store. */
export type TakeIn = (files: Files, holdings: Holdings) => Outcome;

const dockerSchema = v.strictTuple([
  v.object({ Config: v.string(), RepoTags: v.nullish(v.array(v.string())), Layers: v.array(v.string()) }),
]);
const configSchema = v.object({
  os: v.optional(v.string()),
  rootfs: v.object({ diff_ids: v.array(v.string()) }),
});
const descriptors = v.array(v.object({ digest: v.string() }));
const indexSchema = v.object({ manifests: descriptors });
const manifestSchema = v.object({ config: v.object({ digest: v.string() }), layers: descriptors });
const documentSchema = v.union([indexSchema, manifestSchema]);

/** The ChainIDs of an image's layers. */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(Buffer.from(`${below} ${diffId}`)));
  }
  return chain;
}

/** Docker's own store: a layer is there if it is there upon the same layers. */
export const graphTakesIn: TakeIn = (files, { images, cache }) => {
  const { config, names, layers, diffIds } = dockerImage(files);
  const held = new Set([...cache, ...images.flatMap((image) => chainIds(image.diffIds))]);
  for (const [i, chainId] of chainIds(diffIds).entries()) {
    if (held.has(chainId)) continue;
    const file = files.get(layers[i]!);
    const failure =
      file === undefined
        ? `open /var/lib/docker/tmp/docker-import-417/${layers[i]}: no such file or directory`
        : wrongDigest(file, diffIds[i]!, i);
    if (failure !== undefined)
      return { names, says: [{ errorDetail: { message: failure }, error: failure }] };
  }
  return loaded({ id: digestOf(config), names: [], diffIds }, names);
};

function wrongDigest(file: Buffer, diffId: string, i: number): string | undefined {
  const actual = digestOf(file);
  return actual === diffId
    ? undefined
    : `invalid diffID for layer ${i}: expected "${diffId}", got "${actual}"`;
}

/** Podman's: a layer is there if any image has it; but what is not there may only be left out of an OCI layout. */
export const podmanTakesIn: TakeIn = (files, { images }) => {
  const isLayout = files.has('index.json');
  const { config, names, layers, diffIds } = isLayout ? layoutImage(files) : dockerImage(files);
  const held = new Set(isLayout ? images.flatMap((image) => image.diffIds) : []);
  const missing = diffIds.some((diffId, i) => {
    const file = files.get(layers[i]!);
    return file === undefined ? !held.has(diffId) : digestOf(file) !== diffId;
  });
  if (missing)
    return { names, says: [{ message: 'payload does not match any of the formats' }], status: 500 };
  return loaded({ id: digestOf(config), names: [], diffIds }, names);
};

/** A containerd store: it keeps what it gets, says that it is loaded, and then that it cannot be unpacked. */
export const containerdTakesIn: TakeIn = (files, { images }) => {
  const held = new Map(images.flatMap((image) => [...(image.content ?? [])]));
  for (const [name, bytes] of files) {
    if (name.startsWith('blobs/')) held.set(`sha256:${name.split('/')[2]}`, bytes);
  }
  const id = parse(indexSchema, files.get('index.json')).manifests[0]?.digest ?? '';
  const names = files.has('manifest.json') ? (dockerImageNames(files) ?? []) : [];
  const content = new Map<string, Buffer>();
  const manifests: { digest: string; needs: string[] }[] = [];
  const queue = [id];
  for (let digest = queue.shift(); digest !== undefined; digest = queue.shift()) {
    const bytes = held.get(digest);
    if (bytes === undefined) continue;
    content.set(digest, bytes);
    const document = parse(documentSchema, bytes);
    if ('manifests' in document) queue.push(...document.manifests.map((child) => child.digest));
    else manifests.push({ digest, needs: needs(document) });
  }
  for (const digest of manifests.flatMap((manifest) => manifest.needs)) {
    const bytes = held.get(digest);
    if (bytes !== undefined) content.set(digest, bytes);
  }
  const config = manifests.map((manifest) => content.get(manifest.needs[0]!)).find(Boolean);
  const described = config === undefined ? undefined : parse(configSchema, config);
  const isWhole = manifests.every((manifest) => manifest.needs.every((digest) => content.has(digest)));
  const diffIds = isWhole ? (described?.rootfs.diff_ids ?? []) : [];
  const outcome = loaded({ id, names: [], diffIds, content, manifests }, names);
  if (isWhole || described?.os === 'unknown') return outcome;
  const problem = { stream: `Error unpacking image ${names[0] ?? id}: content not found\n` };
  return { ...outcome, says: [...outcome.says, problem] };
};

function needs({ config, layers }: v.InferOutput<typeof manifestSchema>): string[] {
  return [config.digest, ...layers.map(({ digest }) => digest)];
}

function loaded(image: FakeImage, names: string[]): Outcome {
  const text = names.length > 0 ? `Loaded image: ${names[0]}` : `Loaded image ID: ${image.id}`;
  return { image, names, says: [{ stream: `${text}\n` }] };
}

/** The parts of an image that count, of whichever form. */
interface Parts {
  config: Buffer;
  names: string[];
  /** The files of its layers. */
  layers: string[];
  diffIds: string[];
}

function dockerImage(files: Files): Parts {
  const [image] = parse(dockerSchema, files.get('manifest.json'));
  const config = files.get(image.Config) ?? Buffer.alloc(0);
  const diffIds = parse(configSchema, config).rootfs.diff_ids;
  return { config, names: image.RepoTags ?? [], layers: image.Layers, diffIds };
}

function dockerImageNames(files: Files): string[] | null | undefined {
  return parse(dockerSchema, files.get('manifest.json'))[0].RepoTags;
}

function layoutImage(files: Files): Parts {
  const [root] = parse(indexSchema, files.get('index.json')).manifests;
  const manifest = parse(manifestSchema, files.get(blobFile(root!.digest)));
  const config = files.get(blobFile(manifest.config.digest)) ?? Buffer.alloc(0);
  const diffIds = parse(configSchema, config).rootfs.diff_ids;
  return { config, names: [], layers: manifest.layers.map(({ digest }) => blobFile(digest)), diffIds };
}

function blobFile(digest: string): string {
  return `blobs/sha256/${digest.slice(7)}`;
}

function parse<T>(schema: v.GenericSchema<unknown, T>, bytes: Buffer | undefined): T {
  return v.parse(schema, JSON.parse(String(bytes)));
}
