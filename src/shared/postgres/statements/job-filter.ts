/**
 * The one where-clause of a filter on jobs: what a list shows, a dry run counts and a bulk act changes is the same. Pure: it builds SQL, it runs nothing.
 */
import type { SearchFilter } from '../../job/job-filter.ts';
import type { SearchedArguments } from '../../job/redaction.ts';
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';
import { texts } from './parts.ts';
import { isInState } from './states.ts';

/** True for the jobs that match all that is given; for every job where nothing is. The columns are those of `warren.jobs`, unqualified. */
export function matches(sql: Sql, filter: SearchFilter): Fragment {
  const {
    state,
    type,
    queue,
    priority,
    group,
    tag,
    batch,
    createdAfter,
    finishedAfter,
    finishedBefore,
    q,
    searched,
  } = filter;
  return sql`true
    ${state === undefined ? sql`` : sql`and ${isInState(sql, [state].flat())}`}
    ${type === undefined ? sql`` : isOneType(sql, [type].flat())}
    ${queue === undefined ? sql`` : sql`and queue = ${queue}`}
    ${priority === undefined ? sql`` : sql`and priority = ${priority}`}
    ${group === undefined ? sql`` : sql`and group_key = ${group}`}
    ${tag === undefined ? sql`` : sql`and tags @> ${texts([tag].flat())}::text::text[]`}
    ${batch === undefined ? sql`` : sql`and batch_id = ${batch}::text::bigint`}
    ${createdAfter === undefined ? sql`` : sql`and created_at > ${createdAfter}::text::timestamptz`}
    ${finishedAfter === undefined ? sql`` : sql`and finished_at > ${finishedAfter}::text::timestamptz`}
    ${finishedBefore === undefined ? sql`` : sql`and finished_at < ${finishedBefore}::text::timestamptz`}
    ${q === undefined ? sql`` : sql`and ${hasText(sql, q, searched)}`}`;
}

function isOneType(sql: Sql, types: readonly string[]): Fragment {
  if (types.length === 1) return sql`and type = ${types[0] ?? ''}`;
  return sql`and type = any(${texts(types)}::text::text[])`;
}

/** In the arguments as Postgres writes them, or in the message of an error; upper and lower case are the same. */
function hasText(sql: Sql, text: string, searched: SearchedArguments | undefined): Fragment {
  const pattern = toPattern(text);
  const isInArguments = sql`args::text ilike ${pattern}::text`;
  return sql`(${searched === undefined ? isInArguments : sql`case when ${isInArguments} then ${isShown(sql, pattern, searched)} end`}
    or (errors <> '[]' and jsonb_path_query_array(errors, '$[*].message')::text ilike ${pattern}::text))`;
}

/** The text for `ilike`, as it stands in a text of JSON. */
export function toPattern(text: string): string {
  const written = JSON.stringify(text).slice(1, -1);
  return `%${written.replaceAll(/[\\%_]/g, '\\$&')}%`;
}

/** Whether the text is in what is shown of the arguments: of each member by itself where some are hidden (`redactPath` says which). */
function isShown(sql: Sql, pattern: string, searched: SearchedArguments): Fragment {
  const hidden = sql`(${JSON.stringify(searched)}::text::jsonb -> type)`;
  return sql`case when ${hidden} is null then false when ${hidden} = '[]' then true else exists (
      with recursive part as (
        select null::text as label, args as value, ${hidden} as paths, false as is_hidden
        union all
        select child.label, child.value, rest.paths, rest.is_hidden
        from part cross join lateral (
          select key as label, lower(key) as name, value from jsonb_each(case jsonb_typeof(part.value) when 'object' then part.value else '{}' end)
          union all
          select null, (place - 1)::text, item
          from jsonb_array_elements(case jsonb_typeof(part.value) when 'array' then part.value else '[]' end) with ordinality as items (item, place)
        ) as child cross join lateral (
          select coalesce(jsonb_agg(path - 0), '[]') as paths, coalesce(bool_or(jsonb_array_length(path) = 1), false) as is_hidden
          from jsonb_array_elements(part.paths) as path where path ->> 0 in ('*', child.name)
        ) as rest
        where not part.is_hidden
      ),
      shown as (
        select label, case when not is_hidden and paths = '[]' and jsonb_typeof(value) not in ('object', 'array') then value end as value from part
      )
      select from shown
      where concat_ws(': ', to_json(label)::text, value::text) ilike ${pattern}::text
    ) end`;
}
