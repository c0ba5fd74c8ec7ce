/**
 * A table of rows that can be opened: by click, by Enter, moved through with j and k or the arrow keys; boxes to select many
 * (x, Shift for a range). On a narrow screen each row becomes a small block with its labels. Rows are loaded in pages, so ten
 * thousand are never in the page at once.
 */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';

export interface Column<Row> {
  key: string;
  label: string;
  render: (row: Row) => ComponentChildren;
  class?: string;
  /** Stands for the row: read first, no label on a phone. */
  head?: boolean;
}

export interface Selection {
  keys: ReadonlySet<string>;
  change: (keys: ReadonlySet<string>) => void;
}

interface Properties<Row> {
  caption: string;
  columns: ReadonlyArray<Column<Row>>;
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  nameOf?: (row: Row) => string;
  open?: ((row: Row) => void) | undefined;
  opened?: string | undefined;
  selection?: Selection | undefined;
  /** Other keys on a row: `d`, `r`, … Returns true when it was one of ours. */
  onKey?: ((key: string, row: Row) => boolean) | undefined;
}

export function DataTable<Row>(props: Properties<Row>) {
  const { columns, rows, keyOf, selection } = props;
  const body = useRef<HTMLTableSectionElement>(null);
  const lastBox = useRef<string>('');
  useRowKeys(body);
  const name = (row: Row): string => props.nameOf?.(row) ?? keyOf(row);

  function select(row: Row, range: boolean): void {
    if (selection === undefined) return;
    const next = new Set(selection.keys);
    const on = !next.has(keyOf(row));
    const from = range ? rows.findIndex((one) => keyOf(one) === lastBox.current) : -1;
    const to = rows.indexOf(row);
    const chosen = from < 0 ? [row] : rows.slice(Math.min(from, to), Math.max(from, to) + 1);
    for (const one of chosen) {
      if (on) next.add(keyOf(one));
      else next.delete(keyOf(one));
    }
    lastBox.current = keyOf(row);
    selection.change(next);
  }

  function onKeyDown(event: KeyboardEvent, row: Row): void {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter' && props.open !== undefined) props.open(row);
    else if (event.key === 'x' && selection !== undefined) select(row, event.shiftKey);
    else if (props.onKey?.(event.key, row) !== true) return;
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    <div class="table-box">
      <table class="stack">
        <caption class="sr">{props.caption}</caption>
        <thead>
          <tr>
            {selection === undefined ? null : (
              <th>
                <SelectAll rows={rows} keyOf={keyOf} selection={selection} />
              </th>
            )}
            {columns.map((column) =>
              column.label === '' ? (
                <td key={column.key} />
              ) : (
                <th key={column.key} scope="col" class={column.class}>
                  {column.label}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody ref={body}>
          {rows.map((row) => (
            <tr
              key={keyOf(row)}
              data-row={props.open === undefined && selection === undefined ? undefined : keyOf(row)}
              tabIndex={props.open === undefined && selection === undefined ? undefined : 0}
              aria-selected={
                props.opened === keyOf(row) || selection?.keys.has(keyOf(row)) === true ? 'true' : undefined
              }
              onKeyDown={(event) => onKeyDown(event, row)}
              onClick={(event) => {
                if (event.target instanceof Element && event.target.closest('a,button,input,label') !== null) return;
                if ((getSelection()?.toString() ?? '') === '') props.open?.(row);
              }}
            >
              {selection === undefined ? null : (
                <td class="fit pick">
                  <input
                    type="checkbox"
                    aria-label={t(COMMON.selectRow, { what: name(row) })}
                    checked={selection.keys.has(keyOf(row))}
                    onClick={(event) => select(row, event.shiftKey)}
                  />
                </td>
              )}
              {columns.map((column) =>
                column.head === true ? (
                  <th key={column.key} scope="row" class={column.class}>
                    {column.render(row)}
                  </th>
                ) : (
                  <td key={column.key} class={column.class} data-label={column.label}>
                    {column.render(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function SelectAll<Row>(props: { rows: readonly Row[]; keyOf: (row: Row) => string; selection: Selection }) {
  const { rows, keyOf, selection } = props;
  const all = rows.length > 0 && rows.every((row) => selection.keys.has(keyOf(row)));
  return (
    <input
      type="checkbox"
      aria-label={t(COMMON.selectAll)}
      checked={all}
      onClick={() => selection.change(all ? new Set() : new Set(rows.map(keyOf)))}
    />
  );
}

/** j, k: the next and the previous row, from wherever the focus is unless something is being typed. */
function useRowKeys(body: { current: HTMLTableSectionElement | null }): void {
  // with the rows, not a moment after them: a key pressed at once is not lost
  useLayoutEffect(() => {
    function onKey(event: KeyboardEvent): void {
      if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      const inRow = document.activeElement instanceof HTMLTableRowElement;
      const step =
        event.key === 'j' || (inRow && event.key === 'ArrowDown')
          ? 1
          : event.key === 'k' || (inRow && event.key === 'ArrowUp')
            ? -1
            : 0;
      if (step === 0) return;
      const rows = [...(body.current?.querySelectorAll<HTMLElement>('tr[data-row]') ?? [])];
      const at = rows.findIndex((row) => row.contains(document.activeElement));
      const target = rows[at < 0 ? 0 : at + step];
      if (target === undefined) return;
      target.focus();
      target.scrollIntoView({ block: 'nearest' });
      event.preventDefault();
    }
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [body]);
}

export function isTyping(event: Event): boolean {
  const { target } = event;
  if (document.querySelector('dialog[open]') !== null) return true;
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      target instanceof HTMLTextAreaElement ||
      target instanceof HTMLSelectElement ||
      (target instanceof HTMLInputElement && !['checkbox', 'radio', 'button'].includes(target.type)))
  );
}
