/** Where omitted layers are. */
export interface Keeper {
  /** `job 4711 of group/app`, or the name of a base image. */
  where: string;
  /** When that place expires, as ISO 8601; null if nobody says. */
  until: string | null;
  /** The artifact, if it is one. */
  job: { server: string; path: string } | null;
}

/**
 * Where omitted layers are, in words:
 * `job 4711 of group/app has them until 2026-01-01T00:00:00.000Z, in .drayage/4711 at https://gitlab.example`.
 */
export function describeKeeper({ where, until, job }: Keeper): string {
  const time = until === null ? '' : ` until ${until}`;
  const folder = job === null ? '' : `, in ${job.path === '' ? 'its artifact' : job.path} at ${job.server}`;
  return `${where} has them${time}${folder}`;
}
