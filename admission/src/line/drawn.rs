//! The draw's part of the line: the lobby is read and emptied, the frozen list and the proof are shown.

use redis::AsyncCommands as _;

use crate::ids::{DropId, OrderKey, Place};

use super::{DropState, Line, LineError, answer, found, scripts};

/// Bytes of the list in one command: a millisecond of Redis's time.
const LIST_PART: usize = 1 << 20;
/// The longest list in bytes, as long as a string of Redis: 33 million places.
const LIST_MAX: usize = 512 << 20;
/// How long parts of a list that nobody finished are kept, in seconds.
const PARTS_KEPT_S: u64 = 600;

/// The most places a draw has.
pub const ENTRANTS_MAX: usize = LIST_MAX / 16;

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
    /// state of the drop and how many are left in the lobby: once that is none, everybody looks.
    pub async fn draw(&self, drop: &DropId, drawn: &[(Place, OrderKey)]) -> Result<(DropState, u64), LineError> {
        self.move_drawn(drop, "all", drawn).await
    }

    /// [`Line::draw`] of places that came back to a draw that is done: nobody else need look.
    pub async fn draw_returned(
        &self,
        drop: &DropId,
        drawn: &[(Place, OrderKey)],
    ) -> Result<(DropState, u64), LineError> {
        self.move_drawn(drop, "each", drawn).await
    }

    /// The state of the drop and how many are in the lobby.
    pub async fn undrawn(&self, drop: &DropId) -> Result<(DropState, u64), LineError> {
        self.move_drawn(drop, "nobody", &[]).await
    }

    /// Has everybody look once the drop is open, if nobody was told of this opening yet: who stood in the lobby
    /// or behind it stands elsewhere now, and nothing else has happened to their places.
    pub async fn tell_open(&self, drop: &DropId) -> Result<(), LineError> {
        self.move_drawn(drop, "opened", &[]).await.map(|_| ())
    }

    async fn move_drawn(
        &self,
        drop: &DropId,
        who_looks: &str,
        drawn: &[(Place, OrderKey)],
    ) -> Result<(DropState, u64), LineError> {
        let (state, mut parts) = self
            .run(&scripts::DRAW, drop, |call| {
                call.arg(who_looks);
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

    /// Shows the frozen list, whole or not at all: it is put together part by part beside the old one, so that
    /// neither a loss of Redis on the way nor another process leaves one with a hole.
    pub async fn show_list(&self, drop: &DropId, list: &[u8]) -> Result<(), LineError> {
        let key = self.key(drop, "entrants");
        if list.is_empty() {
            return Ok(self.redis.clone().del(key).await?);
        }
        let parts = format!("{key}:{}", shared::encoding::hex(&shared::encoding::random::<8>()));
        let mut length = 0;
        for part in list.chunks(LIST_PART) {
            let (now, _): (usize, u8) = redis::pipe()
                .append(&parts, part)
                .expire(&parts, PARTS_KEPT_S.cast_signed())
                .query_async(&mut self.redis.clone())
                .await?;
            length = now;
        }
        if length != list.len() {
            return Err(LineError::Restoring); // Redis forgot some of it meanwhile
        }
        let mut rename = redis::pipe();
        rename.atomic().rename(&parts, &key).ignore().persist(&key).ignore();
        Ok(rename.exec_async(&mut self.redis.clone()).await?)
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
