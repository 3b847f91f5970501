import { OMITTED_LAYERS } from '../../src/image/annotations.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { TestCargo } from '../docker/cargo.ts';
import { entry, tar } from './archives/tar-bytes.ts';
import type { Fault } from './fake-gitlab.ts';
import type { ArtifactOptions } from './hostile-artifact.ts';
import {
  artifact,
  BLOB,
  elsewhere,
  first,
  FOREIGN,
  foreignLayer,
  forged,
  pathOf,
  restated,
} from './hostile-artifact.ts';

const LAYER = 'application/vnd.oci.image.layer.v1';

/** What an attacker makes of the artifact of a base job. */
export interface Lie {
  what: string;
  /** The artifact while an image is saved against it, and when its layers are read; default: the same. */
  archives: (target: LieTarget) => { saved: Buffer; read?: Buffer };
  /** What GitLab's storage does when layers are read. */
  storage?: (target: LieTarget) => Fault;
  /** How each reader ends: it refuses, or has the true image. */
  ends: 'refused' | 'true';
}

/** Whom a lie is told: an image whose first layer the base job has. */
interface LieTarget {
  base: TestCargo;
  /** Address of the GitLab. */
  server: string;
}

/** True when it is saved against, and another one when it is read. */
function changedLayer(what: string, layer: (base: TestCargo) => ArtifactOptions): Lie {
  return {
    what,
    archives: ({ base }) => ({ saved: artifact(base), read: artifact(base, layer(base)) }),
    ends: 'refused',
  };
}

/** Answers requests for the layer with other bytes of the same number, under the right range. */
function otherBytes(total: number, least: number): Fault {
  return ({ headers }, response) => {
    const [, from, to] = /(\d+)-(\d+)/.exec(headers.range ?? '') ?? [];
    const length = Number(to) - Number(from) + 1;
    if (!(length > least)) return 'pass';
    response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${total}`, 'content-length': length });
    response.end(Buffer.alloc(length, 7));
    return undefined;
  };
}

const PAIRS: Lie[] = [
  {
    what: 'calls another layer the one of its config',
    archives: ({ base }) => {
      const { root, bytes } = forged(base, foreignLayer());
      return { saved: artifact(base, { entries: [{ root }], blobs: [bytes, BLOB], layer: null }) };
    },
    ends: 'refused',
  },
  {
    what: 'calls another layer so beside the true one',
    archives: ({ base }) => {
      const { root, bytes } = forged(base, foreignLayer());
      return { saved: artifact(base, { entries: [{ root }, { root: base.root }], blobs: [bytes, BLOB] }) };
    },
    ends: 'refused',
  },
  {
    what: 'calls no gzip a layer',
    archives: ({ base }) => {
      const junk = Buffer.from(FOREIGN);
      const layer = { ...foreignLayer(), digest: digestOf(junk), size: junk.length };
      const { root, bytes } = forged(base, layer);
      return { saved: artifact(base, { entries: [{ root }], blobs: [bytes, junk], layer: null }) };
    },
    ends: 'refused',
  },
  {
    what: 'hides files in a second part of a compressed layer',
    archives: ({ base }) => {
      const blob = Buffer.concat([base.source.blobs.get(first(base).digest) ?? Buffer.alloc(0), BLOB]);
      const layer = { ...first(base), digest: digestOf(blob), size: blob.length };
      const { root, bytes } = forged(base, layer);
      return { saved: artifact(base, { entries: [{ root }], blobs: [bytes, blob], layer: null }) };
    },
    ends: 'refused',
  },
  {
    what: 'gives another size of its layer',
    archives: ({ base }) => {
      const { root, bytes } = forged(base, { ...first(base), size: 10 });
      return { saved: artifact(base, { entries: [{ root }], blobs: [bytes] }) };
    },
    ends: 'true',
  },
];

function restating(what: string, stated: Record<string, unknown>, ends: Lie['ends'] = 'true'): Lie {
  return { what, archives: ({ base }) => ({ saved: restated(base, stated) }), ends };
}

/** What its manifest states about a layer whose bytes are true. */
const DESCRIPTORS: Lie[] = [
  restating('calls its gzip layer uncompressed', { mediaType: `${LAYER}.tar` }, 'refused'),
  restating('calls its gzip layer zstd', { mediaType: `${LAYER}.tar+zstd` }, 'refused'),
  restating('calls its layer something that nobody reads', { mediaType: 'application/octet-stream' }),
  restating('says that its layer must not be distributed, and that its own server has it', {
    mediaType: `application/vnd.oci.image.layer.nondistributable.v1.tar+gzip`,
    urls: ['http://127.0.0.1:9/evil'],
  }),
  restating('says where a snapshotter finds other files for its layer', {
    annotations: { 'containerd.io/snapshot/stargz/toc.digest': foreignLayer().digest },
  }),
  restating('has other bytes for its layer in its manifest', { data: BLOB.toString('base64') }),
];

const PLACES: Lie[] = [
  {
    what: 'says that another job has another layer for it',
    archives: ({ base, server }) => ({ saved: elsewhere(base, { server }) }),
    ends: 'refused',
  },
  {
    what: 'says that a job of another project has another layer for it',
    archives: ({ base, server }) => ({ saved: elsewhere(base, { server, project: 'evil/project' }) }),
    ends: 'refused',
  },
  {
    what: 'says that a job without an artifact keeps it for ever',
    archives: ({ base, server }) => ({
      saved: elsewhere(base, { server, job: '404', expires: '9999-12-31T00:00:00Z' }),
    }),
    ends: 'refused',
  },
  {
    what: 'says that another server has it',
    archives: ({ base }) => ({ saved: elsewhere(base, { server: 'http://127.0.0.1:9' }) }),
    ends: 'true',
  },
  {
    what: 'says that a registry has it',
    archives: ({ base }) => {
      const { root, bytes } = forged(base, foreignLayer());
      const annotations = {
        [OMITTED_LAYERS]: '1',
        'org.opencontainers.image.base.name': '127.0.0.1:9/evil:1',
      };
      return { saved: artifact(base, { entries: [{ root, annotations }], blobs: [bytes], layer: null }) };
    },
    ends: 'true',
  },
  {
    what: 'has a file outside of its layout as that',
    archives: ({ base, server }) => ({ saved: elsewhere(base, { server, path: '../images' }) }),
    ends: 'true',
  },
];

const READINGS: Lie[] = [
  changedLayer('has other bytes of the same size by then', (base) => ({
    layer: { bytes: Buffer.alloc(first(base).size, 1) },
  })),
  changedLayer('has another layer by then', () => ({ layer: { bytes: BLOB } })),
  changedLayer('has another layer under the size of the true one', (base) => ({
    layer: { bytes: BLOB, directory: { size: first(base).size } },
  })),
  changedLayer('has a link by then', () => ({ layer: { mode: 0o120777 } })),
  changedLayer('has a bomb by then', (base) => ({
    layer: { bytes: Buffer.alloc(50_000_000), directory: { size: first(base).size } },
  })),
  changedLayer('has the layer twice by then', (base) => ({
    files: [{ path: pathOf(first(base)), bytes: BLOB }],
  })),
  changedLayer('has the offset of another file', () => ({ layer: { directory: { start: 0 } } })),
  {
    what: 'is another artifact by then, where the same layer is',
    archives: ({ base }) => {
      const { root, bytes } = forged(base, foreignLayer());
      return { saved: artifact(base), read: artifact(base, { entries: [{ root }], blobs: [bytes, BLOB] }) };
    },
    ends: 'true',
  },
  {
    what: 'is answered with other bytes by the storage',
    archives: ({ base }) => ({ saved: artifact(base) }),
    storage: ({ base }) => otherBytes(artifact(base).length, first(base).size),
    ends: 'refused',
  },
];

/** A layer that is streamed, as it is too large for memory: the same lie. Neither layer is compressed. */
export const LARGE_LIE: Lie = {
  what: 'calls another large layer the one of its config',
  archives: ({ base }) => {
    const other = tar(entry('file-0', Buffer.alloc(first(base).size - 1024, 2)));
    const { root, bytes } = forged(base, { ...first(base), digest: digestOf(other), size: other.length });
    return { saved: artifact(base, { entries: [{ root }], blobs: [bytes, other], layer: null }) };
  },
  ends: 'refused',
};

/**
 * Lies of a hostile base job about layers, and how each ends. Those that are refused come first: after them, no daemon has
 * a layer of the image.
 */
export const LIES: readonly Lie[] = [...PAIRS, ...DESCRIPTORS, ...PLACES, ...READINGS].toSorted((a, b) =>
  a.ends.localeCompare(b.ends),
);
