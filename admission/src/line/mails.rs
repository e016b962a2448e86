//! Who asked to be written to when their place is called. What they left is sealed: nothing here can read it.

use redis::AsyncCommands as _;
use shared::encoding::{base64url, from_base64url};

use crate::ids::{DropId, Place};

use super::{DropState, Held, Line, LineError, answer, moves, scripts};

/// Whether a mail will be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Kept,
    /// Called already, or inside.
    Late,
    /// On another device by now, ended, or never there.
    Gone,
}

/// What became of somebody who asked for a mail, or of a place nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub place: Place,
    /// `None` when no mail is asked for.
    pub sealed: Option<Vec<u8>>,
    pub fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Waits,
    Called {
        /// In microseconds of drop time: it tells one call from another.
        called_at: u64,
        /// In microseconds on Redis's clock, as it stands: a pause moves it on.
        deadline: u64,
    },
    /// Inside, ended, or not there: nobody is to be written to any more.
    Over,
    /// Lost with Redis, and not back yet.
    Lost,
}

impl Line {
    /// Writes to the holder of a place when it is called, or (`None`) no longer.
    pub async fn ask_mail(
        &self,
        drop: &DropId,
        held: &Held,
        sealed: Option<&[u8]>,
    ) -> Result<(DropState, Kept), LineError> {
        let (state, mut parts) = self
            .run(&scripts::MAIL, drop, |call| {
                call.arg(held.place.to_string()).arg(held.generation);
                call.arg(sealed.map(base64url).unwrap_or_default());
            })
            .await?;
        let kept = match moves::word(&mut parts)?.0.as_str() {
            "kept" => Kept::Kept,
            "late" => Kept::Late,
            "gone" => Kept::Gone,
            _ => return Err(LineError::Shape("mail")),
        };
        Ok((state, kept))
    }

    /// What became of `places`.
    pub async fn mails(&self, drop: &DropId, places: &[Place]) -> Result<(DropState, Vec<Asked>), LineError> {
        let (state, mut parts) = self
            .run(&scripts::MAILS, drop, |call| {
                call.arg("read");
                for place in places {
                    call.arg(place.to_string());
                }
            })
            .await?;
        let _cursor: String = answer::next(&mut parts, "cursor")?;
        Ok((state, asked(&answer::next::<Vec<String>>(&mut parts, "mails")?)?))
    }

    /// Some of all who asked, and the cursor to go on with (`None`: that was all of them). Begins at 0. One may be
    /// told of twice.
    pub async fn scan_mails(&self, drop: &DropId, cursor: u64) -> Result<(Option<u64>, Vec<Asked>), LineError> {
        let (_, mut parts) = self
            .run(&scripts::MAILS, drop, |call| {
                call.arg("scan").arg(cursor);
            })
            .await?;
        let cursor: u64 = answer::next(&mut parts, "cursor")?;
        Ok(((cursor > 0).then_some(cursor), asked(&answer::next::<Vec<String>>(&mut parts, "mails")?)?))
    }

    /// Forgets addresses, each unless another one was left since.
    pub async fn forget_mails(&self, drop: &DropId, done: &[(Place, Vec<u8>)]) -> Result<(), LineError> {
        let _ = self
            .run(&scripts::MAILS, drop, |call| {
                call.arg("forget");
                for (place, sealed) in done {
                    call.arg(place.to_string()).arg(base64url(sealed));
                }
            })
            .await?;
        Ok(())
    }

    /// Forgets all addresses of a drop that has ended.
    pub async fn forget_all_mails(&self, drop: &DropId) -> Result<(), LineError> {
        Ok(self.redis.clone().unlink(self.key(drop, "mails")).await?)
    }

    /// Puts addresses back, while the control may be missing.
    pub async fn restore_mails(&self, drop: &DropId, asked: &[(Place, Vec<u8>)]) -> Result<(), LineError> {
        let mut call = self.invocation(&scripts::MAILS, drop);
        call.arg("restore");
        for (place, sealed) in asked {
            call.arg(place.to_string()).arg(base64url(sealed));
        }
        let _: redis::Value = call.invoke_async(&mut self.redis.clone()).await?;
        Ok(())
    }
}

fn asked(flat: &[String]) -> Result<Vec<Asked>, LineError> {
    let (all, rest) = flat.as_chunks::<5>();
    if !rest.is_empty() {
        return Err(LineError::Shape("mails"));
    }
    all.iter()
        .map(|[place, sealed, state, called_at, deadline]| {
            let micros = |text: &str| text.parse().map_err(|_| LineError::Shape("mail's time"));
            Ok(Asked {
                place: Place::parse(place).ok_or(LineError::Shape("mail's place"))?,
                sealed: match sealed.as_str() {
                    "" => None,
                    text => Some(from_base64url(text).ok_or(LineError::Shape("sealed address"))?),
                },
                fate: match state.as_str() {
                    "lobby" | "drawing" | "waiting" => Fate::Waits,
                    "called" | "lapsed" => Fate::Called { called_at: micros(called_at)?, deadline: micros(deadline)? },
                    "none" => Fate::Lost,
                    _ => Fate::Over,
                },
            })
        })
        .collect()
}
