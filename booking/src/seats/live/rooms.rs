//! Room for open streams: so many a process, and so many of these an address.

use std::{net::IpAddr, sync::Arc};

use dashmap::{DashMap, Entry};
use shared::rate_limit::network;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

type ByAddress = Arc<DashMap<IpAddr, usize>>;

pub(super) struct Rooms {
    all: Arc<Semaphore>,
    per_address_max: usize,
    by_address: ByAddress,
}

/// One stream's room, given back when dropped.
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
    address: IpAddr,
    by_address: ByAddress,
}

impl Rooms {
    pub(super) fn new(max: usize, per_address_max: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(max)), per_address_max, by_address: ByAddress::default() }
    }

    pub(super) fn take(&self, address: IpAddr) -> Option<Room> {
        let address = network(address);
        let permit = self.all.clone().try_acquire_owned().ok()?;
        let mut open = self.by_address.entry(address).or_default();
        if *open >= self.per_address_max {
            return None;
        }
        *open += 1;
        Some(Room { _permit: permit, address, by_address: self.by_address.clone() })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Entry::Occupied(mut open) = self.by_address.entry(self.address) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_the_room_there_is() {
        let rooms = Rooms::new(4, 2);
        let take = |address: &str| rooms.take(address.parse().unwrap());
        let first = take("192.0.2.1");
        let second = take("192.0.2.1");
        assert!(first.is_some() && second.is_some() && take("192.0.2.1").is_none());
        let other = take("2001:db8::1");
        assert!(other.is_some() && take("2001:db8:0:0:ffff::2").is_some(), "what was refused took no room");
        drop(first);
        assert!(take("192.0.2.1").is_some());
        drop((second, other));
        assert!(rooms.by_address.is_empty(), "nothing is kept of who left");
    }

    #[test]
    fn the_process_has_its_own_limit() {
        let rooms = Rooms::new(1, 2);
        let first = rooms.take("192.0.2.1".parse().unwrap());
        assert!(first.is_some() && rooms.take("192.0.2.2".parse().unwrap()).is_none());
    }
}
