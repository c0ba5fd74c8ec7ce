/**
 * The handbook's own small Markdown as page elements: headings, paragraphs, lists, code, bold, links. Nothing becomes HTML
 * text, so even a mistake in a chapter cannot put markup on the page. Unknown marks stand as they are written.
 */
import type { ComponentChildren } from 'preact';

export function Markdown({ text }: { text: string }) {
  return <>{blocks(text).map((block, index) => renderBlock(block, index))}</>;
}

type Block =
  | { kind: 'heading'; level: number; text: string }
  | { kind: 'list'; ordered: boolean; items: string[] }
  | { kind: 'code'; text: string }
  | { kind: 'paragraph'; text: string };

function blocks(source: string): Block[] {
  const found: Block[] = [];
  for (const part of source.split(/\n{2,}/)) {
    const lines = part.split('\n').filter((line) => line !== '');
    const [first = ''] = lines;
    const heading = /^(#{1,4}) (.*)$/.exec(first);
    if (first === '') continue;
    if (heading !== null) found.push({ kind: 'heading', level: heading[1]?.length ?? 2, text: heading[2] ?? '' });
    else if (first.startsWith('```')) found.push({ kind: 'code', text: lines.slice(1, -1).join('\n') });
    else if (/^(?:[-*]|\d+\.) /.test(first))
      found.push({ kind: 'list', ordered: /^\d/.test(first), items: items(lines) });
    else found.push({ kind: 'paragraph', text: join(lines) });
  }
  return found;
}

/** A line that is indented goes on with the item before. */
function items(lines: readonly string[]): string[] {
  const found: string[] = [];
  for (const line of lines) {
    const item = /^(?:[-*]|\d+\.) (.*)$/.exec(line);
    if (item !== null) found.push(item[1] ?? '');
    else found.push(join([found.pop() ?? '', line.trim()]));
  }
  return found;
}

/** Japanese knows no space where a line ends. */
function join(lines: readonly string[]): string {
  return lines.reduce(
    (all, line) => (all === '' ? line : /[\u3000-\u9fff\uff00-\uffef]$/.test(all) ? all + line : `${all} ${line}`),
    '',
  );
}

function renderBlock(block: Block, key: number): ComponentChildren {
  switch (block.kind) {
    case 'heading':
      return block.level <= 2 ? <h2 key={key}>{inline(block.text)}</h2> : <h3 key={key}>{inline(block.text)}</h3>;
    case 'code':
      return (
        <pre key={key} tabIndex={0}>
          {block.text}
        </pre>
      );
    case 'list': {
      const rows = block.items.map((item) => <li key={item}>{inline(item)}</li>);
      return block.ordered ? <ol key={key}>{rows}</ol> : <ul key={key}>{rows}</ul>;
    }
    case 'paragraph':
      return <p key={key}>{inline(block.text)}</p>;
    default:
      return block satisfies never;
  }
}

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^[\]]+)\]\(([^)]+)\)/g;

function inline(text: string): ComponentChildren[] {
  const parts: ComponentChildren[] = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    parts.push(text.slice(at, match.index));
    const [whole, code, bold, label, target] = match;
    if (code !== undefined) parts.push(<code key={at}>{code}</code>);
    else if (bold !== undefined) parts.push(<strong key={at}>{bold}</strong>);
    else if (target !== undefined)
      parts.push(
        <a key={at} href={hrefOf(target)}>
          {label}
        </a>,
      );
    at = match.index + whole.length;
  }
  parts.push(text.slice(at));
  return parts;
}

/** A chapter links to another by its file; in the pages that is a path. */
function hrefOf(target: string): string {
  const chapter = /^([\w-]+)\.md$/.exec(target)?.[1];
  return chapter === undefined ? target : `/help/${chapter}`;
}
