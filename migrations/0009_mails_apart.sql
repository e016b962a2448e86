-- Mails have a queue of their own: money and slots are found without passing over a mountain of them.

CREATE INDEX outbox_deeds_due ON outbox (run_at) WHERE done_at IS NULL AND kind NOT LIKE '%-mail';
CREATE INDEX turn_mails_queued ON turn_mails (queued_at) WHERE queued_at IS NOT NULL;
CREATE INDEX turn_mails_wishes ON turn_mails (drop_id, place) WHERE deadline IS NULL;
