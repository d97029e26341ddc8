-- What ties a job to the request that enqueued it: {"traceparent", "requestId"}, either or both. Empty, and then without cost, where the request had neither.
alter table warren.jobs add column trace jsonb;
