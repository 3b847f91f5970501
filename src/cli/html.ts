import type { InspectedImage, InspectResult } from '../index.ts';
import { daemonTitle } from '../index.ts';
import { count } from '../text/count.ts';
import { formatBytes } from '../text/bytes.ts';
import { describeAbsence, describePart, summarize } from './format.ts';
import { formatLine } from './output.ts';
import { NO_NAME } from '../text/no-name.ts';

const STYLE = `body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c1c1c;background:#fff}
h1,h2{line-height:1.2}h2{margin-top:2.5rem;overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}
th,td{border-bottom:1px solid #ddd;padding:.3rem .6rem;text-align:left;vertical-align:top}td.size{text-align:right;white-space:nowrap}
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}.bar{background:#3b78b0;height:.5rem;min-width:1px}.shared{color:#8a5a00}
@media (max-width:40rem){body{margin:1rem auto}.facts th,.facts td{display:block;padding:.1rem 0}.facts th{border:0}}
@media (prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}.shared{color:#e0b060}}`;

/**
 * The content of layouts as one self-contained page: no script, no request. Everything that comes from images is shown
 * as text.
 */
export function formatHtml(result: InspectResult, layouts: readonly string[]): string {
  const { images } = result;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(layouts.join(', '))}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escape(layouts.join(', '))}</h1>
${summarize(result)
  .map((line) => `<p>${escape(line)}</p>`)
  .join('\n')}
${images.map(formatImage).join('\n')}
</body>
</html>
`;
}

function formatImage(image: InspectedImage): string {
  const facts: [string, string][] = [
    ['Platform', image.platform],
    ['ID', image.id],
    ['Digest', image.digest],
    ['Reference', image.ref],
    ['Created', image.created ?? ''],
    ['Size', image.reference === undefined ? formatBytes(image.size) : ''],
    ...image.omitted.map((part): [string, string] => ['Omitted', describePart(part, image.size)]),
    ['Layers', image.reference === undefined ? '' : `in docker of ${daemonTitle(image.reference.daemon)}`],
    ...Object.entries(image.annotations).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ];
  const largest = Math.max(1, ...image.layers.map(({ size }) => size));
  return `<h2>${escape(image.names.join(', ') || NO_NAME)}</h2>
<table class="facts">${facts
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `<tr><th>${escape(key)}</th><td><code>${escape(value)}</code></td></tr>`)
    .join('')}</table>
<h3>${count(image.layers.length, 'layer')}</h3>
<table><tr><th>Size</th><th>Instruction</th></tr>
${image.layers.map((layer) => formatLayer(layer, largest)).join('\n')}
</table>`;
}

function formatLayer(layer: InspectedImage['layers'][number], largest: number): string {
  const { digest, size, createdBy, sharedBy } = layer;
  const width = Math.round((100 * size) / largest);
  const shared = sharedBy > 1 ? `<br><span class="shared">shared by ${sharedBy} images</span>` : '';
  const absence = describeAbsence(layer);
  const absent = absence === undefined ? '' : `<br><strong>${escape(absence)}</strong>`;
  return `<tr><td class="size">${escape(formatBytes(size))}<div class="bar" style="width:${width}%"></div></td><td>${escape(createdBy ?? '')}<br><code>${escape(digest)}</code>${shared}${absent}</td></tr>`;
}

/** A line of text, escaped for HTML, also for attributes. */
function escape(text: string): string {
  return formatLine(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
