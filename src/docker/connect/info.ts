import * as v from 'valibot';
import type { ContentOptions } from '../../content/source.ts';
import { readJson } from './reply.ts';
import type { Transport } from './transport.ts';

/** Absent where a daemon leaves it out, or writes something else. */
const text = v.fallback(v.optional(v.string(), ''), '');
const schema = v.looseObject({
  DriverStatus: v.nullish(v.array(v.array(v.string())), []),
  ID: text,
  Name: text,
  DockerRootDir: text,
});

/** What a daemon says of itself. */
export interface DaemonInfo {
  /** The type of driver that keeps its images, if it says so. */
  driver: string | undefined;
  /** Its own ID; empty if it states none. */
  id: string;
  /** The name of its machine; empty if it states none. */
  name: string;
  /** The folder in which it keeps its images; empty if it states none. */
  root: string;
}

/** Asks a daemon what it says of itself. This is one of its slower replies: it counts containers and images. */
export async function readInfo(transport: Transport, options: ContentOptions): Promise<DaemonInfo> {
  const info = await readJson(schema, await transport.open({ ...options, path: '/info' }), 'info');
  const { ID: id, Name: name, DockerRootDir: root, DriverStatus: status } = info;
  return { driver: status?.find(([key]) => key === 'driver-type')?.[1], id, name, root };
}
