//! Who waits, in order, and whether somebody serves them. Whatever waits goes next.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::WAITING_MAX;
use crate::error::{Error, Result};

pub(super) struct Queue<T>(Mutex<Inner<T>>);

struct Inner<T> {
    waiting: VecDeque<T>,
    is_served: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Queue(Mutex::new(Inner { waiting: VecDeque::new(), is_served: false }))
    }

    /// True when nobody serves the queue: then the caller starts somebody who takes a [`Self::shift`].
    pub(super) fn push(&self, party: T) -> Result<bool> {
        let mut inner = self.lock();
        if inner.waiting.len() >= WAITING_MAX {
            return Err(Error::Crowded);
        }
        inner.waiting.push_back(party);
        Ok(!std::mem::replace(&mut inner.is_served, true))
    }

    pub(super) fn shift(&self) -> Shift<'_, T> {
        Shift { queue: self, is_over: false }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // nothing panics while it is locked
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serving the queue until it is empty. Should whoever does it die, those who wait are let go, not forgotten.
pub(super) struct Shift<'a, T> {
    queue: &'a Queue<T>,
    is_over: bool,
}

impl<T> Shift<'_, T> {
    /// `None` ends the shift.
    pub(super) fn next(&mut self, max: usize) -> Option<Vec<T>> {
        let mut inner = self.queue.lock();
        if inner.waiting.is_empty() {
            inner.is_served = false;
            self.is_over = true;
            return None;
        }
        let count = inner.waiting.len().min(max);
        Some(inner.waiting.drain(..count).collect())
    }

    /// To the front, in the same order.
    pub(super) fn put_back(&mut self, parties: Vec<T>) {
        let mut inner = self.queue.lock();
        for party in parties.into_iter().rev() {
            inner.waiting.push_front(party);
        }
    }
}

impl<T> Drop for Shift<'_, T> {
    fn drop(&mut self) {
        if !self.is_over {
            let mut inner = self.queue.lock();
            inner.is_served = false;
            inner.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_serves_and_all_are_served_in_order() {
        let queue = Queue::new();
        assert!(queue.push(1).unwrap(), "somebody must be called");
        assert!(!queue.push(2).unwrap() && !queue.push(3).unwrap());
        let mut shift = queue.shift();
        assert_eq!(shift.next(2), Some(vec![1, 2]));
        shift.put_back(vec![2]);
        queue.push(4).unwrap();
        assert_eq!(shift.next(8), Some(vec![2, 3, 4]));
        assert_eq!(shift.next(8), None);
        drop(shift);
        assert!(queue.push(5).unwrap(), "somebody must be called again");
        assert_eq!(queue.shift().next(8), Some(vec![5]));
    }

    #[test]
    fn nobody_waits_for_one_who_died() {
        let queue = Queue::new();
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        let mut shift = queue.shift();
        shift.next(1);
        drop(shift);
        assert!(queue.push(3).unwrap());
        assert_eq!(queue.shift().next(8), Some(vec![3]));
    }

    #[test]
    fn the_queue_has_an_end() {
        let queue = Queue::new();
        assert!((0..WAITING_MAX).all(|party| queue.push(party).is_ok()));
        assert!(matches!(queue.push(0), Err(Error::Crowded)));
    }
}
