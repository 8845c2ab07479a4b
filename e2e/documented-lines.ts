/** Lines of shell in a page, and the output that the page shows below them. */
export type DocumentedBlock = { page: string; line: number; shell: string; output: string | undefined };

const fence = /^```(?<language>\w*)\n(?<text>.*?)^```$/gms;

/** The shell blocks of a Markdown page, in their order. Output is a block without a language, or with `json`, directly below its lines. */
export function blocksOf(page: string, markdown: string): DocumentedBlock[] {
  const blocks: DocumentedBlock[] = [];
  let end = 0;
  for (const { index, 0: whole, groups } of markdown.matchAll(fence)) {
    const { language = '', text = '' } = groups ?? {};
    const last = blocks.at(-1);
    const isBelow = markdown.slice(end, index).trim() === '';
    if (language === 'sh') {
      const line = markdown.slice(0, index).split('\n').length;
      blocks.push({ page, line, shell: text, output: undefined });
    } else if (last !== undefined && isBelow && (language === '' || language === 'json')) last.output = text;
    end = index + whole.length;
  }
  return blocks;
}

/** The part of a page below a heading, up to the next heading of the same level. @throws if there is no such heading. */
export function sectionOf(markdown: string, heading: string): string {
  const start = markdown.indexOf(`\n${heading}\n`);
  if (start === -1) throw new Error(`there is no heading ${heading}`);
  const level = heading.slice(0, heading.indexOf(' ') + 1);
  const next = markdown.indexOf(`\n${level}`, start + heading.length);
  return markdown.slice(start, next === -1 ? undefined : next);
}

const changing: readonly [RegExp, string][] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, '<time>'],
  [/\b[0-9a-f]{32}\b/g, '<request>'],
  [/"(next_token|next_cursor)":"[^"]+"/g, '"$1":"<token>"'],
];

/** Output without what differs between two runs: ids, times, tokens, and the layout of JSON. */
export function comparable(output: string): string {
  const text = changing.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), output.trim());
  return (
    inOneLine(text) ??
    text
      .split('\n')
      .map((line) => inOneLine(line) ?? line)
      .join('\n')
  );
}

function inOneLine(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return undefined;
  }
}
