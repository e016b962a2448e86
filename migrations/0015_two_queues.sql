-- A deed stood in two indexes, that of the deeds and that of all jobs, which only mails were still found by. Now each
-- queue has one, and a sale writes two index entries less. Sales wait while the index is built, for as long as it takes to
-- read the jobs of a month: between two on-sales.

CREATE INDEX outbox_mails_due ON outbox (run_at) WHERE done_at IS NULL AND kind LIKE '%-mail';
DROP INDEX outbox_due;
