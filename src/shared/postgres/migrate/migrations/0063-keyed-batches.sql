-- The batch that was created with the key: its jobs do not tell, where the unique keys of all of them were held.
alter table warren.idempotency_keys add column batch_id bigint;
