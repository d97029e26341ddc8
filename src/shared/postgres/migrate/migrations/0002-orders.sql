-- The demonstration's table: the shop of the source article.
create table warren.orders (
  id bigint primary key,
  customer jsonb not null,
  items jsonb not null,
  currency text not null,
  note text not null,
  total_cents bigint,
  processed_at timestamptz,
  created_at timestamptz not null
);
create index orders_created_at on warren.orders (created_at);
