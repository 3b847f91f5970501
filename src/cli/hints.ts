import type { ErrorFacts, ErrorReason } from '../errors.ts';

type Facts = Readonly<ErrorFacts>;

/** The command line's hint for each reason: a text, or the library's hint with words after it. */
const WORDS: Partial<Record<ErrorReason, string | ((facts: Facts) => string | undefined)>> = {
  NO_IMAGE_GIVEN: 'drayage save IMAGE…, --iidfile, --metadata-file or --from',
  SEVERAL_IMAGES: behind(' with --image'),
  TWO_IMAGES: behind(' with --image'),
  NO_IMAGE: 'drayage inspect lists the images',
  OMITTED_DIFFER:
    'complete them first: drayage fetch --complete LAYOUT; or save all of them with the same --thin and --base',
  BASE_UNREACHABLE: behind(', or save with --thin never'),
  LOCK_HELD: behind(', or wait longer: --lock-timeout 5m'),
  LAYOUT_SIZE: behind('; a stronger --level makes it smaller'),
  NO_CODEC: ({ hint, name = 'gzip' }) => hint && `${hint}: --compress ${name}`,
  OTHER_ORIGIN: ({ accepting }) => `if that is the image you mean: ${expectOptions(accepting)}`,
  OTHER_REVISION: ({ accepting }) =>
    `build it again; if the label is the base image's, set it in the Dockerfile, or accept it: ${expectOptions(accepting)}`,
  OTHER_JOB: ({ accepting }) =>
    `sign in the job that builds; if this job should vouch for it: ${expectOptions(accepting)}`,
  REPORT_SIZE: behind(', or let jobs use drayage load --dotenv'),
  VARIABLE_CHOICE: ({ name = 'KEY' }) => `say which: --env ${name}=IMAGE`,
  VARIABLE_CLASH: ({ candidates: [, second = 'IMAGE'] = [] }) =>
    `name the second one's variable: --env KEY=${second}`,
  TAG_TAKEN: behind(', or omit --if-absent to move it'),
  NOT_VOUCHED: '--attach copies it',
  UNREAD_CODEC: 'for those, save with --compress gzip',
  UNKNOWN_AUTHORITY: 'name the certificate authority by --ca FILE or CI_SERVER_TLS_CA_FILE',
  TOKEN_MISSING: behind('; elsewhere set DRAYAGE_GITLAB_TOKEN (scope read_api)'),
  TOKEN_INVALID: behind(', and DRAYAGE_GITLAB_TOKEN may have expired'),
  TOKEN_FORBIDDEN: behind('; or set DRAYAGE_GITLAB_TOKEN'),
  JOB_TOKEN_CANNOT_LIST: before(
    'name the job by --job-id; or set DRAYAGE_GITLAB_TOKEN (scope read_api), since this GitLab does not let a job token list jobs; or ',
  ),
  TOKEN_CANNOT_LIST: before(
    'name the job by --job-id; or give DRAYAGE_GITLAB_TOKEN the scope read_api and a role in the project; or ',
  ),
  JOB_CHOICE: ({ candidates: [first = 'NAME'] = [] }) => `choose one: --job ${JSON.stringify(first)}`,
  DAEMON_ADDRESS: behind(' (or --host)'),
  UNPROVEN_TIME: behind(': --rekor-url, --tsa-url'),
  LOG_SERVICE: 'check --rekor-url',
  TIMESTAMP_SERVICE: 'check --tsa-url',
  UNSIGNED:
    'sign it in the job that builds it: drayage save --sign, or drayage sign; copies must include the referrers',
  NAME: ({ accepting }) => `if the name is intended: ${expectOptions(accepting)}`,
  MERGE_REQUEST: behind(': --expect commit=SHA'),
  PROJECT: behind(': --expect project=GROUP/PROJECT'),
};

/** What to do, in words of the command line; the library's hint if there are none for a reason. */
export function hintOf(facts: Facts): string | undefined {
  const words = facts.reason && WORDS[facts.reason];
  return (typeof words === 'function' ? words(facts) : words) ?? facts.hint;
}

function before(words: string): (facts: Facts) => string | undefined {
  return ({ hint }) => hint && words + hint;
}

function behind(words: string): (facts: Facts) => string | undefined {
  return ({ hint }) => hint && hint + words;
}

/** The options that express these expectations. */
function expectOptions(accepting: Facts['accepting'] = {}): string {
  return Object.entries(accepting)
    .map(([key, values]) => `--expect ${quoted(`${key}=${isWritable(values) ? values.join(',') : 'any'}`)}`)
    .join(' ');
}

/** Whether values can be written as an expectation: none is empty, contains a comma, or is a keyword. */
function isWritable(values: readonly string[] | 'any' | undefined): values is readonly string[] {
  return Array.isArray(values) && values.every((value) => value !== 'any' && /^[^,]+$/.test(value));
}

/** Quotes for a shell. */
function quoted(text: string): string {
  return /^[\w=:/.,@+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
