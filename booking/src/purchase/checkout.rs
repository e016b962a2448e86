//! From a wish for seats to a booking that can be paid.

mod choose;

use std::time::Duration;

use admission::ids::{DropId, Place};
use admission::token::Admission;
use jiff::Timestamp;
use uuid::Uuid;

use super::idempotency::{self, Answer, Key, Next};
use super::redemptions::{self, Redemption};
use super::reserve::{self, Draft, Outcome, Wanted};
use super::sale;
use super::{bookings, document, intents};
use crate::app::App;
use crate::error::{Error, Result};
use crate::metrics::BOOKINGS;
use crate::seats::inventory::Inventory;

use choose::Choice;

/// How often seats are chosen anew after others were faster.
const ROUNDS_MAX: u32 = 12;
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
    /// Seats by their labels.
    Named(Vec<String>),
    /// Any good ones.
    Best { quantity: i64, tier: Option<String>, zone: Option<String> },
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
        Next::Resume(booking_id) => booking_id,
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
    let booking = bookings::find(&app.pool, booking_id).await?.ok_or(Error::BookingUnknown)?;
    let intent = intents::ensure(app, &booking).await?;
    let body = document::checkout(app, &booking, &intent).await?;
    idempotency::finish(&app.pool, &buyer.key, Answer { status: 201, body }).await
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
    let place = admission.place.to_string();
    let redemption = Redemption {
        drop_id: &sale.drop_id,
        place: &place,
        user_id: buyer.key.user_id,
        jti: &admission.jti,
        expires_at: admission.expires_at,
    };
    let hold = Duration::from_secs(app.settings.hold_s);
    let draft = Draft {
        booking_id: booking_id(&buyer.key),
        event_id: order.event_id,
        sale: &sale,
        key: &buyer.key,
        redemption: &redemption,
        now,
        expires_at: now.saturating_add(hold).map_err(anyhow::Error::from)?,
    };
    let reserved = match reserve_some(app, &inventory, &draft, &wish).await {
        Err(Error::PlaceBound(_)) if older_place_has_ended(app, &admission.drop, &redemption, now).await? => {
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
    inventory: &Inventory,
    draft: &Draft<'_>,
    wish: &choose::Wish<'_>,
) -> Result<Option<Vec<u32>>> {
    let (redis, event_id, holds) = (&app.redis, draft.event_id, &app.seats.holds);
    for round in 0..ROUNDS_MAX {
        let choice = choose::choose(app, inventory, draft, wish, round).await?;
        let outcome = match &choice {
            Choice::Block { ordinals, .. } => {
                let tickets = inventory.ticket_ids(ordinals);
                reserve::reserve(&app.pool, draft, Wanted::Exactly(&tickets)).await
            }
            Choice::AnyOf(blocks) => {
                let tickets: Vec<Vec<i64>> = blocks.iter().map(|block| inventory.ticket_ids(block)).collect();
                reserve::reserve(&app.pool, draft, Wanted::FirstOf(&tickets)).await
            }
            Choice::Again => continue,
        };
        // whatever was held but not got is free again, unless a twin has got it under the same booking id
        if let (Choice::Block { ordinals, hinted: true }, false) = (&choice, keeps_hold(&outcome)) {
            holds.release(redis, event_id, draft.booking_id, ordinals).await;
        }
        match outcome? {
            Outcome::Reserved(ordinals) => return Ok(Some(ordinals)),
            Outcome::KeyInUse => return Ok(None),
            Outcome::Taken(taken) => {
                if !taken.is_empty() {
                    holds.mark_taken(redis, event_id, &taken).await;
                }
                if matches!(wish, choose::Wish::Named(_)) {
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
    /// # Errors
    /// `Quantity`, `TicketOfAnotherEvent`, `WrongType` for a seat named twice.
    fn check(&self, inventory: &Inventory, max: u32) -> Result<choose::Wish<'_>> {
        let count = match self {
            SeatWish::Named(labels) => i64::try_from(labels.len()).unwrap_or(i64::MAX),
            SeatWish::Best { quantity, .. } => *quantity,
        };
        if !(1..=i64::from(max)).contains(&count) {
            return Err(Error::Quantity { max });
        }
        match self {
            SeatWish::Named(labels) => named(labels, inventory).map(choose::Wish::Named),
            SeatWish::Best { tier, zone, .. } => Ok(choose::Wish::Best(crate::seats::best_available::Wish {
                quantity: usize::try_from(count).map_err(anyhow::Error::from)?,
                tier: tier.as_deref(),
                zone: zone.as_deref(),
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

/// The same for every try under a key, so that a retry owns what the first one held in Redis.
pub(crate) fn booking_id(key: &Key<'_>) -> Uuid {
    let hash = shared::encoding::sha256(&[b"booking", key.user_id.as_bytes(), &key.fingerprint, key.key.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Whether the account's other place in the drop is over by the line's word, which Postgres hears a moment
/// later: then it makes room.
async fn older_place_has_ended(app: &App, drop: &DropId, wish: &Redemption<'_>, now: Timestamp) -> Result<bool> {
    let older = redemptions::other_live(&app.pool, wish.drop_id, wish.user_id, wish.place).await?;
    let Some(older) = older.as_deref().and_then(Place::parse) else { return Ok(false) };
    Ok(line_says_ended(app, drop, older).await
        && redemptions::end_idle(&app.pool, wish.drop_id, &older.to_string(), now).await?)
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
