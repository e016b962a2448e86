//! The fans' API over real HTTP and Redis, each test in a world of its own.

mod draw;
mod events;
mod fans;
mod kept;
mod life;
mod mail;
mod moves;
mod pages;
mod stage;
mod streams;
