//! A crowd of fans against a running Onsale, and a judge who trusts nobody.
//!
//! Every fan is a real HTTP client with TCP connections of its own from a loopback address of its
//! own: it joins the line, listens, claims, checks out, pays and goes. All it hears is written
//! down. When the last fan is done, the judge compares what the fans were told with two sets of
//! books it reads for itself: the database by its own SQL, and the payment provider's list of
//! intents with, for the sandbox, the file behind it. It shares no code with the services, so a wrong
//! idea there is not repeated here.
//!
//! Beside it stands [`bench`]: what the line bears, in figures with a baseline. And [`audit`]: the judge
//! alone, for tests that make a crowd of their own.
//!
//! Reading order: [`cli`] → `run` (the evening) → `fan` (one life) → `record` (what was heard) →
//! `books` → `judge` → `report`.

pub mod audit;
pub mod bench;
pub mod cli;

mod stack;

mod run;

mod arrivals;
mod plan;

mod fan;

mod clock;
mod http;
mod protocol;
mod sse;

mod record;

mod books;
mod judge;
mod report;

mod progress;
