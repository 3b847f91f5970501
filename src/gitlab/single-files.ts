import * as v from 'valibot';
import type { ContentOptions, OpenOptions } from '../content/source.ts';
import { isDrayageError } from '../errors.ts';
import { parserOf, sizeSchema } from '../oci/parse.ts';
import { withoutSecrets } from '../http/address.ts';
import type { TokenKind, GitLabApi } from './api.ts';
import { drop } from '../http/reply.ts';
import type { ArtifactFiles } from './artifact-files.ts';
import type { FoundJob } from './jobs.ts';
import { projectPath } from './jobs.ts';
import type { Opened } from '../http/resumable.ts';
import { resumable } from '../http/resumable.ts';

const treeSchema = v.array(v.object({ path: v.string(), type: v.string(), size: v.nullish(sizeSchema, 0) }));

/** The files of an artifact, each by its own request, for servers that serve no ranges of the archive. */
export class SingleFiles implements ArtifactFiles {
  readonly name: string;
  readonly isRemote = true;
  readonly sizes: ReadonlyMap<string, number>;
  readonly #api: GitLabApi;
  readonly #root: string;
  readonly #as: TokenKind;

  private constructor(api: GitLabApi, root: string, as: TokenKind, sizes: ReadonlyMap<string, number>) {
    this.name = withoutSecrets(api.address(root));
    this.sizes = sizes;
    this.#api = api;
    this.#root = root;
    this.#as = as;
  }

  /**
   * Lists the files.
   * @returns undefined if the server does not list them (before GitLab 18.8), or not to us
   * @throws {@link DrayageError} `UNREACHABLE`, `TIMEOUT`, `MALFORMED`
   */
  static async open(
    api: GitLabApi,
    job: FoundJob,
    options: ContentOptions = {},
  ): Promise<SingleFiles | undefined> {
    if (job.kind === 'ref' || job.project === undefined) return undefined;
    const root = `${projectPath(job.project)}/jobs/${encodeURIComponent(job.jobId)}/artifacts`;
    for (const as of ['jobToken', 'token'] satisfies TokenKind[]) {
      if (!api.has(as)) continue;
      try {
        const tree = await api.pages(
          parserOf(treeSchema),
          { path: `${root}/tree?recursive=true`, as },
          options,
        );
        const files = tree.filter(({ type }) => type === 'file');
        return new SingleFiles(api, root, as, new Map(files.map(({ path, size }) => [path, size])));
      } catch (error) {
        const isRefusal = isDrayageError(error) && [400, 401, 403, 404].includes(error.facts.status ?? 0);
        if (!isRefusal) throw error;
      }
    }
    return undefined;
  }

  read(path: string, { offset = 0, signal }: OpenOptions = {}): AsyncIterable<Uint8Array> {
    const { retry, onReceived } = this.#api;
    const url = this.#api.address(`${this.#root}/${path.split('/').map(encodeURIComponent).join('/')}`);
    const openAt = async (at: number): Promise<Opened> => {
      const reply = await this.#api.send(url, this.#as, {}, { signal });
      // Without ranges, the server sends the earlier bytes again.
      if (reply.status === 200) return { body: reply.body, skip: at };
      drop(reply);
      throw this.#api.refusal(reply, url);
    };
    const length = (this.sizes.get(path) ?? 0) - offset;
    return resumable({ offset, length, openAt, url: withoutSecrets(url), retry, signal, onReceived });
  }

  /** Such files have no checksum. */
  check(): void {}

  /** Nothing is held open. */
  async [Symbol.asyncDispose](): Promise<void> {}
}
