import * as v from 'valibot';
import type { ContentOptions } from '../../content/source.ts';
import type { ImageUse } from '../../content/endpoint.ts';
import { familiarNames } from './names.ts';
import { readJson } from '../connect/reply.ts';
import type { Transport } from '../connect/transport.ts';

const containersSchema = v.nullable(
  v.array(
    v.looseObject({
      Id: v.string(),
      Names: v.nullish(v.array(v.string())),
      Image: v.string(),
      ImageID: v.string(),
    }),
  ),
);

/** Which images the containers of a daemon use, including stopped ones, because those may be started again. */
export async function listUses(
  transport: Transport,
  ownDomain: string | undefined,
  { signal }: ContentOptions,
): Promise<ImageUse[]> {
  const reply = await transport.open({ signal, path: '/containers/json?all=1' });
  const containers = (await readJson(containersSchema, reply, 'the list of containers')) ?? [];
  return containers.map(({ Id, Names, Image, ImageID }) => ({
    container: Names?.[0]?.replace(/^\//, '') ?? Id.slice(0, 12),
    // Older podman omits the algorithm.
    image: /^[0-9a-f]{64}$/.test(ImageID) ? `sha256:${ImageID}` : ImageID,
    name: familiarNames([Image], ownDomain)[0] ?? Image,
  }));
}
