//! Who is asking: the drop in the path, the visitor secret, and the pass if they hold one.

use std::sync::Arc;

use admission::{
    ids::{DropId, Place, TURNS_MAX, VisitorSecret},
    line::{Asker, BatchError, DropState, EndReason, Held, Joined, LineError, Newcomer, PlaceState, Receipt},
    pass::Pass,
    presented,
    session::Session,
};
use axum::{
    extract::{FromRequestParts, Path},
    http::{HeaderMap, header::COOKIE, request::Parts},
};
use shared::http::cookies;

use crate::{app::App, crowd::Crowd, error::Error};

/// A caller of a drop's line, before anything is known of a place.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) drop: DropId,
    pub(crate) visitor: Option<VisitorSecret>,
    pub(crate) pass: Option<Pass>,
    /// Whether the visitor secret came in a header: such a client keeps it itself.
    pub(crate) keeps_secret: bool,
    pub(crate) session: Option<String>,
}

/// A caller who has a place, or had one.
#[derive(Clone)]
pub(crate) struct Fan {
    pub(crate) drop: DropId,
    pub(crate) visitor: VisitorSecret,
    /// The place of their own turn; another device's may have been moved to it.
    pub(crate) own: Place,
    /// The place they have: their own, or the one moved to it.
    pub(crate) place: Place,
    /// How often it was moved.
    pub(crate) generation: u32,
    /// Whether a mail is to be sent when it is called.
    pub(crate) mail: bool,
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
    if !headers.contains_key(COOKIE) {
        return Ok(None);
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

    /// The signed-in account of a drop that asks for one.
    pub(crate) async fn account_if_required(&self, app: &App) -> Result<Option<String>, Error> {
        let crowd = self.crowd(app).await?;
        self.account_of(app, &crowd)
    }

    /// The same, of a crowd at hand.
    pub(crate) fn account_of(&self, app: &App, crowd: &Crowd) -> Result<Option<String>, Error> {
        match crowd.tick().drop.account_required {
            true => Ok(Some(self.account(app)?.user_id.to_string())),
            false => Ok(None),
        }
    }

    /// The turn of the pass, or the first.
    pub(crate) fn first_turn(&self, visitor: &VisitorSecret) -> u32 {
        let Some(pass) = &self.pass else { return 0 };
        (0..TURNS_MAX).find(|&turn| Place::of(&self.drop, turn, visitor) == pass.place).unwrap_or(0)
    }

    /// The caller's place as it stands; one given up leads on to the next turn, and so does one that is on another
    /// device now, if they took the next turn.
    pub(crate) async fn place(self, app: &App) -> Result<(Fan, Arc<DropState>, PlaceState), Error> {
        let visitor = self.visitor.clone().ok_or(Error::UnknownPlace)?;
        let mut elsewhere = None;
        for turn in self.first_turn(&visitor)..TURNS_MAX {
            let asker = Asker { own: Place::of(&self.drop, turn, &visitor), visitor_hash: visitor.hash() };
            let (drop, held, state) = self.look(app, asker).await?;
            let fan = || Fan::new(self.drop.clone(), visitor.clone(), asker.own, held);
            match state {
                PlaceState::Ended { given_up: true, .. } => {}
                PlaceState::Moved => elsewhere = Some((fan(), drop, state)),
                PlaceState::Unknown => return elsewhere.ok_or(Error::UnknownPlace),
                state => return Ok((fan(), drop, state)),
            }
        }
        Err(Error::TooManyTurns)
    }

    /// What the pass says of what this visitor has by their own place, should the line have forgotten it.
    pub(crate) fn receipt(&self, own: Place) -> Option<Receipt> {
        let pass = self.pass.as_ref().filter(|pass| pass.place == own || pass.generation > 0)?;
        Some(Receipt { place: pass.place, key: pass.key, epoch: pass.epoch, generation: pass.generation })
    }

    /// One look. A place that Redis lost goes back to where the pass says, whatever the fan came for; and one that
    /// was moved here, of which Redis lost the word, is here again.
    async fn look(&self, app: &App, asker: Asker) -> Result<(Arc<DropState>, Held, PlaceState), Error> {
        let (drop, (held, state)) = match app.batcher.look(&self.drop, asker).await {
            Err(BatchError::Restoring) if self.pass.is_none() && !app.crowds.knows(&self.drop) => {
                return Err(Error::UnknownDrop);
            }
            answer => answer?,
        };
        let receipt = self.receipt(asker.own).filter(|receipt| receipt.epoch < drop.epoch);
        let Some(receipt) = receipt.filter(|receipt| match state {
            PlaceState::Unknown => true,
            PlaceState::Moved => receipt.generation > 0,
            _ => false,
        }) else {
            return Ok((drop, held, state));
        };
        Ok(put_back(app, &self.drop, asker, receipt).await?)
    }
}

/// Puts a place back to where a receipt says.
async fn put_back(
    app: &App,
    drop: &DropId,
    asker: Asker,
    receipt: Receipt,
) -> Result<(Arc<DropState>, Held, PlaceState), BatchError> {
    let Asker { own, visitor_hash } = asker;
    let who = Newcomer { place: own, visitor_hash, receipt: Some(receipt), account: None };
    Ok(match app.batcher.put_back(drop, who).await? {
        (drop, (held, Joined::New(place) | Joined::Known(place))) => (drop, held, place),
        (drop, (held, Joined::AccountBound | Joined::Over)) => (drop, held, PlaceState::Unknown),
    })
}

impl Fan {
    pub(crate) fn new(drop: DropId, visitor: VisitorSecret, own: Place, held: Held) -> Self {
        Self { drop, visitor, own, place: held.place, generation: held.generation, mail: held.mail }
    }

    pub(crate) fn asker(&self) -> Asker {
        Asker { own: self.own, visitor_hash: self.visitor.hash() }
    }

    pub(crate) fn held(&self) -> Held {
        Held { place: self.place, generation: self.generation, mail: self.mail }
    }

    fn hold(&mut self, held: Held) {
        (self.place, self.generation, self.mail) = (held.place, held.generation, held.mail);
    }

    /// Takes the admission of a called place, or queues the claim for the bucket; of a place that is on another
    /// device by now, nothing.
    pub(crate) async fn claim(&mut self, app: &App) -> Result<(DropState, PlaceState), LineError> {
        let (drop, held, place) = app.line.claim_held(&self.drop, &self.held(), &self.asker()).await?;
        self.hold(held);
        Ok((drop, place))
    }
}

/// Whether a place has ended and cannot be claimed or left any more.
pub(crate) fn ended(state: &PlaceState) -> Option<EndReason> {
    match state {
        PlaceState::Ended { reason, .. } => Some(*reason),
        _ => None,
    }
}
