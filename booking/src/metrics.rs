//! Names of the metrics this role exports, in one place so that they stay stable.

/// Counter: events put into the search index, changes included.
pub(crate) const INDEXED: &str = "onsale_index_events_total";
/// Histogram: seconds a search took in the index, without HTTP.
pub(crate) const SEARCH_SECONDS: &str = "onsale_search_seconds";
/// Histogram: seconds one call to the payment provider took, retries included, by call and outcome.
pub(crate) const PROVIDER_SECONDS: &str = "onsale_provider_seconds";
/// Counter: how often Redis was silent about seats and Postgres decided alone.
pub(crate) const SEAT_HINT_SILENCES: &str = "onsale_seat_hint_silences_total";
/// Counter: how often seats were looked for under the order that all processes share, before saying "sold out".
pub(crate) const SEAT_LAST_LOOKS: &str = "onsale_seat_last_looks_total";
/// Counter: differences between the provider's book and ours that the reconciler closed, by kind.
pub(crate) const RECONCILED: &str = "onsale_reconciled_total";
/// Counter: bookings that were made, completed or cancelled, by outcome (`made`, `completed` or the reason).
pub(crate) const BOOKINGS: &str = "onsale_bookings_total";
/// Counter: outbox jobs that failed and come again, by kind.
pub(crate) const OUTBOX_FAILURES: &str = "onsale_outbox_failures_total";
/// Counter: tries of outbox jobs that have failed for two days, by kind: for a person to look at. Mails do not come again.
pub(crate) const OUTBOX_GIVEN_UP: &str = "onsale_outbox_given_up_total";
/// Counter: how often the provider did not know an intent of ours whose payment was looked up.
pub(crate) const INTENTS_MISSING: &str = "onsale_intents_missing_total";
