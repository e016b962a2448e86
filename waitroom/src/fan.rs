//! Who is asking: the drop in the path, the visitor secret, and the pass if they hold one.

use std::sync::Arc;

use admission::{
    ids::{DropId, Place, TURNS_MAX, VisitorSecret},
    line::{BatchError, DropState, EndReason, Joined, Newcomer, PlaceState, Receipt},
    pass::Pass,
    presented,
    session::Session,
};
use axum::{
    extract::{FromRequestParts, Path},
    http::{HeaderMap, request::Parts},
};
use shared::http::cookies;

use crate::{app::App, crowd::Crowd, error::Error};

/// A caller of a drop's line, before anything is known of a place.
pub(crate) struct Caller {
    pub(crate) drop: DropId,
    pub(crate) visitor: Option<VisitorSecret>,
    pub(crate) pass: Option<Pass>,
    /// Whether the visitor secret came in a header: such a client keeps it itself.
    pub(crate) keeps_secret: bool,
    pub(crate) session: Option<String>,
}

/// A caller who has a place.
pub(crate) struct Fan {
    pub(crate) drop: DropId,
    pub(crate) visitor: VisitorSecret,
    pub(crate) place: Place,
    pub(crate) generation: u32,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let Path(drop) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| Error::UnknownDrop)?;
        let drop = DropId::parse(&drop).ok_or(Error::UnknownDrop)?;
        let (visitor, keeps_secret) = match presented::visitor(&parts.headers) {
            Some((text, true)) => (Some(VisitorSecret::parse(&text).ok_or(Error::MalformedVisitor)?), true),
            // a cookie nobody can read is as good as none: nobody could ask a browser to mend it
            Some((text, false)) => (VisitorSecret::parse(&text), false),
            None => (None, false),
        };
        let pass = pass(app, &parts.headers, &drop, visitor.as_ref())?;
        let session = presented::session(&parts.headers);
        Ok(Self { drop, visitor, pass, keeps_secret, session })
    }
}

/// A pass in a header must be good. One in a cookie that is not (a key was retired, another visitor
/// used this browser) is as good as none: the visitor secret still finds the place.
fn pass(app: &App, headers: &HeaderMap, drop: &DropId, visitor: Option<&VisitorSecret>) -> Result<Option<Pass>, Error> {
    if let Some(text) = presented::pass(headers) {
        let visitor = visitor.ok_or(Error::Pass(admission::pass::PassError::Invalid))?;
        return Ok(Some(app.passes.check(&text, drop, visitor)?));
    }
    Ok(cookies::get(headers, &presented::pass_cookie(drop))
        .zip(visitor)
        .and_then(|(text, visitor)| app.passes.check(&text, drop, visitor).ok()))
}

impl Caller {
    /// Everybody of the drop this process holds.
    pub(crate) async fn crowd(&self, app: &App) -> Result<Arc<Crowd>, Error> {
        match app.crowds.of(&self.drop).await {
            // lost and not yet restored: whoever holds our pass knows that the drop exists
            Err(Error::UnknownDrop) if self.pass.is_some() => Err(Error::Batch(BatchError::Restoring)),
            crowd => crowd,
        }
    }

    /// The signed-in account, where the drop asks for one.
    pub(crate) fn account(&self, app: &App) -> Result<Session, Error> {
        let token = self.session.as_deref().ok_or(Error::SessionMissing)?;
        Ok(app.sessions.verify(token, app.clock.now())?)
    }

    /// The turn of the pass, or the first.
    pub(crate) fn first_turn(&self, visitor: &VisitorSecret) -> u32 {
        let Some(pass) = &self.pass else { return 0 };
        (0..TURNS_MAX).find(|&turn| Place::of(&self.drop, turn, visitor) == pass.place).unwrap_or(0)
    }

    /// The caller's place as it stands; one given up leads on to the next turn.
    pub(crate) async fn place(self, app: &App) -> Result<(Fan, DropState, PlaceState), Error> {
        let visitor = self.visitor.clone().ok_or(Error::UnknownPlace)?;
        for turn in self.first_turn(&visitor)..TURNS_MAX {
            let place = Place::of(&self.drop, turn, &visitor);
            let (drop, state) = match app.batcher.look(&self.drop, place).await {
                Err(BatchError::Restoring) if self.pass.is_none() && !app.crowds.knows(&self.drop) => {
                    return Err(Error::UnknownDrop);
                }
                answer => answer?,
            };
            let (drop, state) = match state {
                PlaceState::Unknown => self.back_in_line(app, place, drop).await?,
                state => (drop, state),
            };
            match state {
                PlaceState::Ended { given_up: true, .. } => {}
                PlaceState::Unknown => return Err(Error::UnknownPlace),
                state => {
                    let generation = self.pass.as_ref().map_or(0, |pass| pass.generation);
                    return Ok((Fan { drop: self.drop, visitor, place, generation }, drop, state));
                }
            }
        }
        Err(Error::TooManyTurns)
    }
}

impl Caller {
    /// What the pass says of `place`, should the line have forgotten it.
    pub(crate) fn receipt(&self, place: Place) -> Option<Receipt> {
        let pass = self.pass.as_ref().filter(|pass| pass.place == place)?;
        Some(Receipt { key: pass.key, epoch: pass.epoch })
    }

    /// A place that Redis lost goes back to where its pass says, whatever the fan came for.
    async fn back_in_line(&self, app: &App, place: Place, drop: DropState) -> Result<(DropState, PlaceState), Error> {
        let Some(receipt) = self.receipt(place).filter(|receipt| receipt.epoch < drop.epoch) else {
            return Ok((drop, PlaceState::Unknown));
        };
        let who = Newcomer { place, receipt: Some(receipt), account: None };
        Ok(match app.batcher.join(&self.drop, who).await? {
            (drop, Joined::New(place) | Joined::Known(place)) => (drop, place),
            (drop, Joined::AccountBound | Joined::Over) => (drop, PlaceState::Unknown),
        })
    }
}

/// Whether a place has ended and cannot be claimed or left any more.
pub(crate) fn ended(state: &PlaceState) -> Option<EndReason> {
    match state {
        PlaceState::Ended { reason, .. } => Some(*reason),
        _ => None,
    }
}
