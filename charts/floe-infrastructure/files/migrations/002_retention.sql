-- How long a dataset's snapshots are kept; null: for ever.
alter table floe.dataset add column retention_days integer check (retention_days > 0);
