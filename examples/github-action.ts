// A step of a GitHub workflow: saves an image for `actions/upload-artifact`, and gives out what the next job needs.
import { appendFile } from 'node:fs/promises';
import { connectDocker, Layout, resolveDockerHost, save } from 'drayage';
import { REVISION, SOURCE } from 'drayage/oci';

export async function saveStep(image: string, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { GITHUB_OUTPUT, GITHUB_SHA = '', GITHUB_SERVER_URL = '', GITHUB_REPOSITORY = '' } = env;
  if (GITHUB_OUTPUT === undefined) throw new Error('this is no step of a GitHub workflow');
  await using daemon = await connectDocker(await resolveDockerHost(env));
  const annotations = { [REVISION]: GITHUB_SHA, [SOURCE]: `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}` };
  const to = await Layout.create(folder);
  const { images, layout } = await save({ from: daemon, images: [image], to, annotations });
  const outputs = images.map(({ ref, digest }) => `ref=${ref}\ndigest=${digest}\nlayout=${layout}\n`);
  await appendFile(GITHUB_OUTPUT, outputs.join(''));
}
