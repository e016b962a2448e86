//! From a wish for seats to a booking that can be paid.

mod choose;

use std::sync::Arc;
use std::time::Duration;

use admission::ids::{DropId, Place};
use admission::token::Admission;
use jiff::Timestamp;
use uuid::Uuid;

use super::idempotency::{self, Answer, Key, Next};
use super::reserve::{Draft, Outcome, Wanted};
use super::{bookings, document, intents, redemptions, sale};
use crate::app::App;
use crate::error::{Error, Result};
use crate::metrics::BOOKINGS;
use crate::seats::{board, inventory::Inventory};

use choose::Choice;

/// How long the line may take to say whether a place has ended.
const LINE_BUDGET: Duration = Duration::from_millis(250);

/// What the fan wants.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) event_id: Uuid,
    pub(crate) seats: SeatWish,
}

#[derive(Clone, Debug)]
pub(crate) enum SeatWish {
    /// Seats by their labels; whether for somebody in a wheelchair.
    Named { labels: Vec<String>, accessible: bool },
    /// Any good ones.
    Best(BestWish),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct BestWish {
    pub(crate) quantity: i64,
    pub(crate) tier: Option<String>,
    pub(crate) zone: Option<String>,
    /// The most one ticket may cost before fees, in minor units.
    pub(crate) max_price: Option<i64>,
    /// With a wheelchair space.
    pub(crate) accessible: bool,
}

/// Who wants it, with the proofs.
pub(crate) struct Buyer<'a> {
    pub(crate) admission: &'a Admission,
    pub(crate) key: Key<'a>,
}

/// Makes the booking and its payment intent, or finishes what an earlier request under the same key began.
pub(crate) async fn checkout(app: &App, buyer: &Buyer<'_>, order: &Order) -> Result<Answer> {
    let now = app.clock.now();
    let booking_id = match idempotency::next(&app.pool, &buyer.key, now).await? {
        Next::Replay(answer) => return Ok(answer),
        Next::Resume(Some(booking_id)) => booking_id,
        Next::Resume(None) => return Err(Error::InFlight),
        Next::Start => match take_seats(app, buyer, order, now).await? {
            Some(booking_id) => booking_id,
            None => return after_twin(app, buyer, now).await,
        },
    };
    let answer = answer(app, buyer, booking_id).await;
    if answer.is_err() {
        // the booking stands: whoever retries under this key need not wait for the lease
        idempotency::unlock(&app.pool, &buyer.key, now).await?;
    }
    answer
}

/// The intent, then the answer: the steps a retry resumes at.
async fn answer(app: &App, buyer: &Buyer<'_>, booking_id: Uuid) -> Result<Answer> {
    shared::crash::point("checkout.reserved");
    let booking = bookings::find(&app.pool, booking_id).await?.ok_or(Error::BookingUnknown)?;
    let intent = intents::ensure(app, &booking).await?;
    let body = document::checkout(app, &booking, &intent).await?;
    shared::crash::point("checkout.answering");
    let answer = idempotency::finish(&app.pool, &buyer.key, Answer { status: 201, body }).await?;
    shared::crash::point("checkout.answered");
    Ok(answer)
}

/// Another request under the same key committed first.
async fn after_twin(app: &App, buyer: &Buyer<'_>, now: Timestamp) -> Result<Answer> {
    match idempotency::next(&app.pool, &buyer.key, now).await? {
        Next::Replay(answer) => Ok(answer),
        Next::Start | Next::Resume(_) => Err(Error::InFlight),
    }
}

/// The booking's id, or `None` when another request under the same key was faster.
async fn take_seats(app: &App, buyer: &Buyer<'_>, order: &Order, now: Timestamp) -> Result<Option<Uuid>> {
    let sale = sale::of_event(&app.pool, order.event_id).await?;
    let admission = buyer.admission;
    if sale.drop_id != admission.drop.as_str() {
        return Err(Error::AdmissionWrongDrop);
    }
    let inventory = app.seats.inventories.of(&app.pool, order.event_id).await?;
    let wish = order.seats.check(&inventory, app.settings.tickets_max)?;
    if line_says_ended(app, &admission.drop, admission.place).await {
        return Err(Error::PlaceEnded);
    }
    let hold = Duration::from_secs(app.settings.hold_s);
    let draft = Arc::new(Draft {
        booking_id: booking_id(&buyer.key, now),
        event_id: order.event_id,
        sale: Arc::new(sale),
        user_id: buyer.key.user_id,
        key: buyer.key.key.to_owned(),
        fingerprint: buyer.key.fingerprint,
        place: admission.place.to_string(),
        jti: admission.jti.clone(),
        admitted_at: admission.issued_at,
        admitted_until: admission.expires_at,
        returned_first: Duration::from_secs(app.settings.returned_first_s),
        max_price: order.seats.max_price(),
        now,
        expires_at: now.saturating_add(hold).map_err(anyhow::Error::from)?,
    });
    let reserved = match reserve_some(app, &inventory, &draft, &wish).await {
        Err(Error::PlaceBound(_)) if older_place_has_ended(app, &admission.drop, &draft).await? => {
            reserve_some(app, &inventory, &draft, &wish).await?
        }
        reserved => reserved?,
    };
    if let Some(ordinals) = &reserved {
        metrics::counter!(BOOKINGS, "outcome" => "made").increment(1);
        let keep = hold + Duration::from_secs(app.settings.expiry_cap_s);
        app.seats.holds.mark(&app.redis, order.event_id, draft.booking_id, ordinals, Some(keep)).await;
    }
    Ok(reserved.map(|_| draft.booking_id))
}

/// Chooses and reserves until one of both says stop.
async fn reserve_some(
    app: &App,
    inventory: &Arc<Inventory>,
    draft: &Arc<Draft>,
    wish: &choose::Wish,
) -> Result<Option<Vec<u32>>> {
    let (redis, event_id, holds) = (&app.redis, draft.event_id, &app.seats.holds);
    let mut inventory = inventory.clone();
    for round in 0..choose::ROUNDS_MAX {
        let choice = choose::choose(app, &inventory, draft, wish, round).await?;
        shared::crash::point("checkout.chosen");
        let outcome = match &choice {
            Choice::Exactly { ordinals, .. } => {
                let tickets = inventory.ticket_ids(ordinals);
                app.counter.reserve(draft.clone(), Wanted::Exactly(tickets)).await
            }
            Choice::Unless { ordinals, .. } => {
                let tickets = inventory.ticket_ids(ordinals);
                app.counter.reserve(draft.clone(), Wanted::FirstOf(vec![tickets])).await
            }
        };
        // whatever was held but not got is free again, unless a twin has got it under the same booking id
        if let (Choice::Exactly { ordinals, is_held: true, .. }, false) = (&choice, keeps_hold(&outcome)) {
            holds.release(redis, event_id, draft.booking_id, ordinals, None).await;
        }
        match outcome? {
            Outcome::Reserved(ordinals) => return Ok(Some(ordinals)),
            Outcome::KeyInUse => return Ok(None),
            Outcome::Taken(taken) => {
                if !taken.is_empty() {
                    holds.mark_taken(redis, event_id, &taken).await;
                } else if matches!(choice, Choice::Exactly { .. }) {
                    // they are not what we took them for: dearer than the fan said
                    inventory = app.seats.inventories.anew(&app.pool, event_id).await?;
                }
                if matches!(wish, choose::Wish::Named { .. }) {
                    return Err(Error::SeatsTaken { seats: inventory.labels(&taken) });
                }
            }
        }
    }
    Err(Error::Crowded)
}

fn keeps_hold(outcome: &Result<Outcome>) -> bool {
    matches!(outcome, Ok(Outcome::Reserved(_) | Outcome::KeyInUse))
}

impl SeatWish {
    /// The most one ticket may cost before fees, in minor units.
    fn max_price(&self) -> Option<i64> {
        match self {
            SeatWish::Named { .. } => None,
            SeatWish::Best(best) => best.max_price,
        }
    }

    /// # Errors
    /// `Quantity`, `TicketOfAnotherEvent`, `WrongType` for a seat named twice.
    fn check(&self, inventory: &Inventory, max: u32) -> Result<choose::Wish> {
        let count = match self {
            SeatWish::Named { labels, .. } => i64::try_from(labels.len()).unwrap_or(i64::MAX),
            SeatWish::Best(best) => best.quantity,
        };
        if !(1..=i64::from(max)).contains(&count) {
            return Err(Error::Quantity { max });
        }
        match self {
            SeatWish::Named { labels, accessible } => {
                Ok(choose::Wish::Named { ordinals: named(labels, inventory)?, is_accessible: *accessible })
            }
            SeatWish::Best(best) => Ok(choose::Wish::Best(board::Wish {
                quantity: usize::try_from(count).map_err(anyhow::Error::from)?,
                tier: best.tier.clone(),
                zone: best.zone.clone(),
                max_price: best.max_price,
                is_accessible: best.accessible,
            })),
        }
    }
}

fn named(labels: &[String], inventory: &Inventory) -> Result<Vec<u32>> {
    let unknown: Vec<String> = labels.iter().filter(|label| inventory.ordinal(label).is_none()).cloned().collect();
    if !unknown.is_empty() {
        return Err(Error::TicketOfAnotherEvent { labels: unknown });
    }
    let mut ordinals: Vec<u32> = labels.iter().filter_map(|label| inventory.ordinal(label)).collect();
    ordinals.sort_unstable();
    ordinals.dedup();
    if ordinals.len() == labels.len() {
        Ok(ordinals)
    } else {
        Err(Error::WrongType("seats: a seat is named twice".to_owned()))
    }
}

/// The same for every try under a key, so that a retry owns what the first one held in Redis; another one when the
/// key's day is over and it stands for another wish.
pub(crate) fn booking_id(key: &Key<'_>, now: Timestamp) -> Uuid {
    let day = now.as_second().div_euclid(idempotency::KEPT.as_secs().cast_signed()).to_be_bytes();
    let (user, fingerprint) = (key.user_id.as_bytes(), &key.fingerprint);
    let hash = shared::encoding::sha256(&[b"booking", user, fingerprint, &day, key.key.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Whether the account's other place in the drop is over by the line's word, which Postgres hears a moment
/// later: then it makes room.
async fn older_place_has_ended(app: &App, drop: &DropId, draft: &Draft) -> Result<bool> {
    let older = redemptions::other_live(&app.pool, drop.as_str(), draft.user_id, &draft.place).await?;
    let Some(older) = older.as_deref().and_then(Place::parse) else { return Ok(false) };
    Ok(line_says_ended(app, drop, older).await
        && redemptions::end_idle(&app.pool, drop.as_str(), &older.to_string(), draft.now).await?)
}

/// Whether nothing can be bought with the place any more. Unknown is no.
pub(crate) async fn place_is_over(app: &App, admission: &Admission) -> bool {
    let place = admission.place.to_string();
    let is_over = redemptions::is_over(&app.pool, admission.drop.as_str(), &place).await;
    is_over.inspect_err(|error| tracing::warn!(%error, "whether a place is over")).unwrap_or(false)
        || line_says_ended(app, &admission.drop, admission.place).await
}

/// Redis knows at once when a place was given up; without Redis, what admission wrote to Postgres counts.
async fn line_says_ended(app: &App, drop: &DropId, place: Place) -> bool {
    if app.seats.holds.quiet() {
        return false;
    }
    let asking = app.line.ended(drop, place);
    match tokio::time::timeout(LINE_BUDGET, asking).await {
        Ok(Ok(reason)) => reason.is_some(),
        Ok(Err(error)) => {
            tracing::warn!(error = format!("{:#}", anyhow::Error::from(error)), "the line does not say who left");
            false
        }
        Err(_) => false,
    }
}
