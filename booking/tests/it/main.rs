//! Tests of the booking role over real Postgres and Redis, one binary.

mod accounts;
mod catalogue;
mod fixture;
mod pages;
mod purchase;
mod sandbox;
mod search;
