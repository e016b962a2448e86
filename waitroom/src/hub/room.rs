//! How many streams there may be: in the process, of a place, of an address.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use admission::ids::Place;
use shared::rate_limit::network;

use super::Why;
use crate::Settings;

/// Streams one place may have open in this process: a fan's tabs and devices.
const PER_PLACE_MAX: u32 = 8;

/// Clones count together.
#[derive(Clone)]
pub(crate) struct Room(Arc<Inner>);

struct Inner {
    streams_max: u32,
    per_address_max: u32,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    streams: u32,
    places: HashMap<Place, u32>,
    addresses: HashMap<IpAddr, u32>,
}

/// Room for one stream, until dropped.
pub(crate) struct Seat {
    room: Room,
    address: IpAddr,
    place: Option<Place>,
}

impl Room {
    pub(super) fn new(settings: &Settings) -> Self {
        Self(Arc::new(Inner {
            streams_max: u32::try_from(settings.streams_max).unwrap_or(u32::MAX),
            per_address_max: settings.streams_per_address_max,
            taken: Mutex::default(),
        }))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let taken = self.taken();
        taken.streams == 0 && taken.places.is_empty() && taken.addresses.is_empty()
    }

    /// Room for a stream from `address`, before anything else is asked about it.
    pub(crate) fn seat(&self, address: IpAddr) -> Result<Seat, Why> {
        let address = network(address);
        let mut taken = self.taken();
        if taken.streams >= self.0.streams_max {
            return Err(Why::Full);
        }
        if !add(&mut taken.addresses, address, self.0.per_address_max) {
            return Err(Why::Address);
        }
        taken.streams += 1;
        metrics::gauge!("onsale_streams").set(taken.streams);
        Ok(Seat { room: self.clone(), address, place: None })
    }
}

impl Seat {
    /// Counts it as one of `place`: the fan's own, which nobody else has, whatever was moved to them.
    pub(crate) fn of(mut self, place: Place) -> Result<Self, Why> {
        if !add(&mut self.room.taken().places, place, PER_PLACE_MAX) {
            return Err(Why::Place);
        }
        self.place = Some(place);
        Ok(self)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        taken.streams -= 1;
        metrics::gauge!("onsale_streams").set(taken.streams);
        remove(&mut taken.addresses, &self.address);
        if let Some(place) = &self.place {
            remove(&mut taken.places, place);
        }
    }
}

fn add<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: K, max: u32) -> bool {
    let fits = counts.get(&key).copied().unwrap_or(0) < max;
    if fits {
        *counts.entry(key).or_default() += 1;
    }
    fits
}

/// Nothing is kept of who has none left.
fn remove<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(streams_max: usize, streams_per_address_max: u32) -> Room {
        Room::new(&Settings { streams_max, streams_per_address_max, ..Settings::default() })
    }

    #[test]
    fn each_limit_has_its_word_and_every_seat_comes_back() {
        let (room, place) = (room(10, 2), Place::from_bytes([1; 16]));
        let at = |text: &str| room.seat(text.parse().unwrap());
        let first = at("2001:db8:1:2::1").unwrap();
        let _second = at("2001:db8:1:2:ffff::9").unwrap();
        assert_eq!(at("2001:db8:1:2::3").err(), Some(Why::Address), "one subscriber has a /64");
        drop(first);
        drop(at("2001:db8:1:2::3").unwrap());
        let tabs: Vec<_> = (0..8).map(|n| at(&format!("10.0.0.{n}")).unwrap().of(place).ok().unwrap()).collect();
        assert_eq!(at("10.0.1.1").unwrap().of(place).err(), Some(Why::Place));
        let _tenth = at("10.0.1.2").unwrap();
        assert_eq!(at("10.0.1.3").err(), Some(Why::Full));
        drop(tabs);
        let taken = room.taken();
        assert_eq!((taken.streams, taken.places.len(), taken.addresses.len()), (2, 0, 2));
    }
}
