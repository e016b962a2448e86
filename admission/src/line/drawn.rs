//! The draw's part of the line: the lobby is read and emptied, the frozen list and the proof are shown.

use redis::AsyncCommands as _;

use crate::ids::{DropId, OrderKey, Place};

use super::{DropState, Line, LineError, answer, found, scripts};

/// Bytes of the list in one command: a millisecond of Redis's time.
const LIST_PART: usize = 1 << 20;
/// The longest list: four million places.
const LIST_MAX: usize = 64 << 20;

impl Line {
    /// Up to `count` places of the lobby.
    pub async fn lobby(&self, drop: &DropId, count: usize) -> Result<Vec<Place>, LineError> {
        let last = isize::try_from(count).unwrap_or(isize::MAX) - 1;
        let places: Vec<String> = self.redis.clone().zrange(self.key(drop, "lobby"), 0, last).await?;
        places.iter().map(|text| parse(text)).collect()
    }

    /// Everybody who is in the lobby from beginning to end of the reading, in pages of about `page`; some may come
    /// twice. Pages by Redis's own cursor: a place that leaves meanwhile shifts no other.
    pub async fn scan_lobby(&self, drop: &DropId, page: usize) -> Result<Vec<Place>, LineError> {
        let mut places = Vec::new();
        let mut cursor = 0u64;
        loop {
            let (next, members): (u64, Vec<(String, f64)>) = redis::cmd("ZSCAN")
                .arg(self.key(drop, "lobby"))
                .arg(cursor)
                .arg("COUNT")
                .arg(page)
                .query_async(&mut self.redis.clone())
                .await?;
            for (text, _) in &members {
                places.push(parse(text)?);
            }
            cursor = next;
            if cursor == 0 {
                return Ok(places);
            }
        }
    }

    /// Moves drawn places from the lobby into the line, once the drop is open; at most 1,000 a call. With the
    /// state of the drop and how many are left in the lobby; of none, it only looks.
    pub async fn draw(&self, drop: &DropId, drawn: &[(Place, OrderKey)]) -> Result<(DropState, u64), LineError> {
        let (state, mut parts) = self
            .run(&scripts::DRAW, drop, |call| {
                for (place, key) in drawn {
                    call.arg(place.to_string()).arg(key.0);
                }
            })
            .await?;
        Ok((state, answer::next(&mut parts, "left")?))
    }

    /// Shows the proof as far as it has come. An older view never replaces a newer one.
    pub async fn show_draw(&self, drop: &DropId, proof: &str, progress: u64, at_once: bool) -> Result<(), LineError> {
        let mut call = self.invocation(&scripts::FREEZE, drop);
        call.arg(proof).arg(progress).arg(u8::from(at_once));
        found(call.invoke_async(&mut self.redis.clone()).await?)
    }

    /// Shows the frozen list, part by part; writing the same list twice changes nothing.
    pub async fn show_list(&self, drop: &DropId, list: &[u8]) -> Result<(), LineError> {
        let key = self.key(drop, "entrants");
        for (part, at) in list.chunks(LIST_PART).zip((0isize..).step_by(LIST_PART)) {
            let _length: u64 = self.redis.clone().setrange(&key, at, part).await?;
        }
        Ok(())
    }

    /// Bytes of the frozen list that are shown.
    pub async fn list_length(&self, drop: &DropId) -> Result<u64, LineError> {
        Ok(self.redis.clone().strlen(self.key(drop, "entrants")).await?)
    }

    /// The frozen list, as far as it is shown.
    pub async fn list(&self, drop: &DropId) -> Result<Vec<u8>, LineError> {
        let key = self.key(drop, "entrants");
        let mut list = Vec::new();
        for at in (0isize..).step_by(LIST_PART).take(LIST_MAX / LIST_PART) {
            let last = at + LIST_PART as isize - 1;
            let part: Vec<u8> = self.redis.clone().getrange(&key, at, last).await?;
            let is_last = part.len() < LIST_PART;
            list.extend_from_slice(&part);
            if is_last {
                break;
            }
        }
        Ok(list)
    }
}

fn parse(text: &str) -> Result<Place, LineError> {
    Place::parse(text).ok_or(LineError::Shape("place"))
}
