//! What the keeper reads of a line to write it down, and how a lost line is put together again.

use std::{collections::HashMap, fmt::Write as _};

use redis::{AsyncCommands as _, Value, from_redis_value};

use crate::ids::{DropId, Place};

use super::{EndReason, Line, LineError, found, keys, scripts};

/// Ends or grants read in one call.
pub const KEPT_AT_ONCE: usize = 1_000;

/// The control of a line as the keeper finds it.
#[derive(Debug, Clone)]
pub struct Marks {
    /// Whether Redis runs on since the line was last made or restored. Another run may have forgotten the
    /// last second; until it was compared with the marks, every script answers that the line is being restored.
    pub same_run: bool,
    fields: HashMap<String, String>,
}

impl Marks {
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// 0 when there is no such field.
    pub fn number(&self, field: &str) -> u64 {
        self.text(field).and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

/// What is known of a place that was called. Times are microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace {
    /// 0 when the place never had an order key.
    pub key: u64,
    /// In drop time.
    pub called_at: u64,
    /// On Redis's clock; 0 when it was not admitted.
    pub granted_at: u64,
    /// In drop time.
    pub session_ends: u64,
    pub given_up: bool,
    /// Why it ended, if it has.
    pub ended: Option<EndReason>,
}

/// A place with the number of its end or grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    pub number: u64,
    pub place: Place,
    pub trace: Trace,
}

impl Trace {
    /// As `keep` in prelude.lua packs it.
    fn parse(packed: &str) -> Option<Self> {
        let mut parts = packed.split(':');
        let mut number = || parts.next()?.parse().ok();
        let (key, called_at, granted_at, session_ends) = (number()?, number()?, number()?, number()?);
        let ended = match parts.next()? {
            "" => None,
            reason => Some(EndReason::parse(reason)?),
        };
        let given_up = parts.next()? == "1";
        Some(Self { key, called_at, granted_at, session_ends, given_up, ended })
    }
}

impl Line {
    /// What must outlive Redis; `None` when it is gone.
    pub async fn marks(&self, drop: &DropId) -> Result<Option<Marks>, LineError> {
        let answer: Value = self.invocation(&scripts::MARKS, drop).invoke_async(&mut self.redis.clone()).await?;
        let flat: Vec<String> = from_redis_value(answer)?;
        let Some((same_run, fields)) = flat.split_first() else { return Ok(None) };
        let fields = fields.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        Ok(Some(Marks { same_run: same_run == "1", fields }))
    }

    /// The ends numbered above `after`, oldest first; at most [`KEPT_AT_ONCE`].
    pub async fn ends_since(&self, drop: &DropId, after: u64) -> Result<Vec<Recorded>, LineError> {
        self.numbered(drop, "ended", after).await
    }

    /// The grants numbered above `after` that were not forgotten, oldest first; at most [`KEPT_AT_ONCE`].
    pub async fn grants_since(&self, drop: &DropId, after: u64) -> Result<Vec<Recorded>, LineError> {
        self.numbered(drop, "grants", after).await
    }

    /// The grants up to `number` are written down.
    pub async fn forget_grants(&self, drop: &DropId, number: u64) -> Result<(), LineError> {
        Ok(self.redis.clone().zrembyscore(self.key(drop, "grants"), "-inf", number).await?)
    }

    async fn numbered(&self, drop: &DropId, name: &str, after: u64) -> Result<Vec<Recorded>, LineError> {
        let mut from = String::new();
        let _infallible = write!(from, "({after}");
        let mut redis = self.redis.clone();
        let limit = isize::try_from(KEPT_AT_ONCE).unwrap_or(isize::MAX);
        let numbers: Vec<(String, u64)> =
            redis.zrangebyscore_limit_withscores(self.key(drop, name), from, "+inf", 0, limit).await?;
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<&str> = numbers.iter().map(|(place, _)| place.as_str()).collect();
        let records: Vec<String> = redis.hmget(self.key(drop, "records"), &places).await?;
        let both = numbers.iter().zip(records);
        both.map(|((place, number), packed)| {
            let place = Place::parse(place).ok_or(LineError::Shape("place"))?;
            let trace = Trace::parse(&packed).ok_or(LineError::Shape("record"))?;
            Ok(Recorded { number: *number, place, trace })
        })
        .collect()
    }

    /// Marks places as ended in a line that is being restored; at most some thousands a call.
    pub async fn restore_ended(&self, drop: &DropId, ended: &[(Place, Trace)]) -> Result<(), LineError> {
        let mut call = self.invocation(&scripts::RESTORE_ENDED, drop);
        for (place, trace) in ended {
            let reason = trace.ended.ok_or(LineError::Shape("end reason"))?;
            call.arg(place.to_string()).arg(reason.as_str());
            call.arg(trace.key).arg(trace.granted_at).arg(u8::from(trace.given_up));
        }
        let _held: u8 = call.invoke_async(&mut self.redis.clone()).await?;
        Ok(())
    }

    /// Puts admitted places back into a line that is being restored; at most some thousands a call.
    pub async fn restore_granted(&self, drop: &DropId, granted: &[(Place, Trace)]) -> Result<(), LineError> {
        let mut call = self.invocation(&scripts::RESTORE_GRANTED, drop);
        for (place, trace) in granted {
            call.arg(place.to_string()).arg(trace.key).arg(trace.called_at);
            call.arg(trace.granted_at).arg(trace.session_ends);
        }
        let _held: u8 = call.invoke_async(&mut self.redis.clone()).await?;
        Ok(())
    }

    /// Begins to put a line back that will reopen in `epoch`.
    ///
    /// # Errors
    /// [`LineError::Restoring`] when there is nothing to restore (any more).
    pub async fn begin_restore(&self, drop: &DropId, epoch: u64) -> Result<(), LineError> {
        let mut call = self.invocation(&scripts::CONTROL, drop);
        call.arg("restore").arg(epoch);
        found(call.invoke_async(&mut self.redis.clone()).await?)
    }

    /// Lets fans in again, in a new epoch; for `regather_us` nobody is called or granted.
    ///
    /// # Errors
    /// [`LineError::Restoring`] when Redis lost the line once more since [`Line::begin_restore`] of this epoch, so
    /// that what was put back may be missing, or when another process reopened it.
    pub async fn reopen(
        &self,
        drop: &DropId,
        epoch: u64,
        regather_us: u64,
        fields: &[(&str, String)],
    ) -> Result<(), LineError> {
        let mut call = self.invocation(&scripts::CONTROL, drop);
        call.arg("reopen").arg(epoch).arg(regather_us);
        for (field, value) in fields {
            call.arg(*field).arg(value);
        }
        found(call.invoke_async(&mut self.redis.clone()).await?)
    }

    /// Removes all of a line but its control, face and list: who asks is still told that the drop has ended, and
    /// how its order was drawn.
    pub async fn sweep(&self, drop: &DropId) -> Result<(), LineError> {
        let kept = ["control", "face", "entrants"].map(|name| self.key(drop, name));
        let rest: Vec<String> = keys::all(&self.prefix, drop).into_iter().filter(|key| !kept.contains(key)).collect();
        let mut redis = self.redis.clone();
        let () = redis.unlink(rest).await?;
        // nobody looks after it any more, so another run of Redis must be nothing to it
        Ok(redis.hdel(self.key(drop, "control"), &["run_id", "saved_at"]).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_the_scripts_pack_it() {
        let trace = Trace::parse("17:5:1790000000000000:1790000900000000:finished:1").unwrap();
        assert_eq!((trace.key, trace.called_at, trace.granted_at), (17, 5, 1_790_000_000_000_000));
        assert_eq!((trace.ended, trace.given_up), (Some(EndReason::Finished), true));
        assert_eq!(Trace::parse("17:5:0:0::0").unwrap().ended, None);
        for bad in ["", "17", "17:5:0:0:nonsense:0", "17:x:0:0::0"] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
    }
}
