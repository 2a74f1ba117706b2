-- Retention of a dataset's snapshots in days; null: forever.
alter table floe.dataset add column retention_days integer check (retention_days > 0);
