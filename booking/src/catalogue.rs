//! What is on offer: venues and their layouts, events and their tickets, and how they get in.
//!
//! Events come from schema.org lines ([`import`]) or from the command line ([`create`]);
//! only the latter have tickets. Every change of an event moves its `changed_xid`, which
//! the search index follows.

pub mod create;
pub mod import;
pub mod layout;
pub mod programme;
pub mod venues;

pub mod availability;
pub mod details;
pub mod events;
pub mod layout_bodies;
pub mod on_sale;
