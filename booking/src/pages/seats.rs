//! `/e/{event_id}/seats`: everybody may look; who has been let in chooses, and the choice is a checkout.

mod choice;
mod hall;
mod hold;
mod refusal;
mod wish;

use admission::ids::DropId;
use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse as _, Response},
};
use form_urlencoded::byte_serialize;
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use shared::{
    encoding::{base64url, random},
    json::Path,
    pages::{self, Form, Site, see_other},
    problem::Problem,
};
use uuid::Uuid;

pub(super) use self::wish::{WISH_COOKIE, go_on};
use self::{
    choice::Choice,
    hall::{Ceiling, Hall, RowLine, ZoneLine},
    hold::{Held, hold},
    refusal::{Notice, Step},
};
use super::words::{self, When};
use crate::{
    app::App,
    catalogue::details::Details,
    error::Error,
    extract::{Admitted, Fan},
    purchase::{bookings, checkout, sale},
    routes::{cached, search::unshare},
};

#[derive(Template)]
#[template(path = "seats.html")]
struct Page<'a> {
    site: Site,
    details: &'a Details,
    when: When,
    hall: &'a Hall,
    choice: &'a Choice,
    /// Until when the fan's turn lasts.
    until: Option<Timestamp>,
    /// Else one may only look.
    may_choose: bool,
    now: Timestamp,
    notice: Option<Notice>,
    /// A booking of this place that waits for its payment.
    open_booking: Option<Uuid>,
    /// Tickets one may take at once.
    max: u32,
    zone_name: String,
    zones: Vec<ZoneLine>,
    rows: Vec<RowLine>,
    /// Chosen seats that are not among the rows shown.
    elsewhere: Vec<&'a String>,
    /// Prices one may not want to go beyond.
    ceilings: Vec<Ceiling>,
    /// What is charged on top, fee by fee.
    fees: Vec<String>,
    /// With fees.
    total: String,
    /// Nothing, as money: scripts write amounts like it.
    nothing: String,
    key: String,
}

impl Page<'_> {
    /// Where to queue for this event.
    fn line(&self) -> Option<&str> {
        let drop = self.details.drop.as_ref().filter(|drop| drop.state != "ended")?;
        Some(&drop.queue)
    }

    fn count(&self) -> String {
        words::counted(self.choice.seats.len() as u64, "seat", "seats")
    }

    fn step(&self) -> Step {
        self.notice.as_ref().map(|notice| notice.step).unwrap_or_default()
    }

    fn is_sold_out(&self) -> bool {
        let counts = self.hall.snapshot.counts;
        counts.available + counts.held == 0
    }
}

/// Nothing is held and nobody is let in by looking. Who may only look is shown what all those are shown.
pub(super) async fn show(
    State(app): State<App>,
    Path(event_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let details = details(&app, &event_id).await?;
    let admitted = admitted(&app, &headers, &details);
    if query.as_deref().is_none_or(str::is_empty) && matches!(admitted, Err(Error::AdmissionMissing)) {
        return from_outside(&app, &details).await;
    }
    let hall = Hall::load(&app, &details).await?;
    let fields = form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes()).into_owned();
    let mut choice = Choice::read(fields, |label| hall.knows(label));
    if choice.key.is_some() {
        // the form asked for another zone: an address without the form's key is shorter and safe to keep
        return Ok(see_other(&choice.path(details.event.event_id)));
    }
    let (open_booking, notice) = match &admitted {
        Ok(admitted) => {
            // looking needs no account, and goes on while nobody can say whose session it is
            let fan = Fan::of(&app, &headers).await.ok();
            let open = match &fan {
                Some(fan) => open_booking(&app, fan.user_id, admitted).await,
                None => None,
            };
            let notice = if open.is_none() && checkout::place_is_over(&app, &admitted.admission).await {
                refusal::words(&Error::PlaceEnded)
            } else if choice.signed_in && fan.is_some() && open.is_none() {
                // what was asked for before signing in could not be held
                let taken = hall.taken(&choice.seats);
                choice.seats.retain(|label| !taken.contains(label));
                if taken.is_empty() {
                    Some(refusal::press_once_more())
                } else {
                    refusal::words(&Error::SeatsTaken { seats: taken })
                }
            } else {
                None
            };
            (open, notice)
        }
        // what there is to say of somebody without a place the page says by itself
        Err(Error::AdmissionMissing) => (None, None),
        Err(error) => (None, refusal::words(error)),
    };
    let seen = Seen { details: &details, hall: &hall, choice: &choice, admitted: &admitted, open_booking };
    Ok(pages::page(&seen.page(&app, notice).await))
}

/// Somebody without a place, who chose nothing yet: made once a moment, however many look.
async fn from_outside(app: &App, details: &Details) -> Result<Response, Problem> {
    let making = async {
        let hall = Hall::load(app, details).await?;
        let (choice, admitted) = (Choice::default(), Err(Error::AdmissionMissing));
        let seen = Seen { details, hall: &hall, choice: &choice, admitted: &admitted, open_booking: None };
        Ok(cached::Page::html(&seen.page(app, None).await)?)
    };
    let key = format!("seats {}", details.event.event_id);
    let page = app.answers.try_get_with(key, making).await.map_err(unshare)?;
    let mut response = page.respond(&HeaderMap::new());
    // the same address is another page for who has been let in: nobody between us keeps it
    response.headers_mut().remove(header::ETAG);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The checkout, by the same function as the API's.
pub(super) async fn choose(
    State(app): State<App>,
    Path(event_id): Path<String>,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let details = details(&app, &event_id).await?;
    let hall = Hall::load(&app, &details).await?;
    let mut choice = Choice::read(fields, |label| hall.knows(label));
    let admitted = admitted(&app, &headers, &details);
    let (error, open_booking) = match &admitted {
        Ok(admitted) => {
            let fan = match Fan::of(&app, &headers).await {
                Ok(fan) => fan,
                Err(Error::SessionMissing | Error::SessionInvalid) => {
                    return Ok(wish::sign_in_first(choice, details.event.event_id));
                }
                Err(error) => return Err(error.into()),
            };
            match hold(&app, fan.user_id, admitted, details.event.event_id, &choice).await? {
                Held::Now(booking_id) => return Ok(see_other(&format!("/checkout/{booking_id}"))),
                // the checkout says that these are not the seats just asked for
                Held::Before(booking_id) => return Ok(see_other(&format!("/checkout/{booking_id}?held=already"))),
                Held::Not(error) => (error, open_booking(&app, fan.user_id, admitted).await),
            }
        }
        // why one is outside says more than that one is
        Err(Error::Admission(why)) => (Error::Admission(*why), None),
        Err(Error::NotOnSale) => (Error::NotOnSale, None),
        Err(_) => (Error::AdmissionMissing, None),
    };
    let Some(notice) = refusal::words(&error) else { return Err(error.into()) };
    if let Error::SeatsTaken { seats } = &error {
        choice.seats.retain(|label| !seats.contains(label));
    }
    let status = Problem::from(error).status();
    let seen = Seen { details: &details, hall: &hall, choice: &choice, admitted: &admitted, open_booking };
    Ok((status, pages::page(&seen.page(&app, Some(notice)).await)).into_response())
}

/// Where to sign in and come back from.
pub(super) fn sign_in(path: &str) -> String {
    format!("/account?next={}", byte_serialize(path.as_bytes()).collect::<String>())
}

async fn details(app: &App, event_id: &str) -> Result<std::sync::Arc<Details>, Error> {
    let event_id: Uuid = event_id.parse().map_err(|_| Error::EventUnknown)?;
    app.details.of(&app.pool, event_id).await?.ok_or(Error::EventUnknown)
}

/// Into the event's drop. Who is inside when it ends may finish.
fn admitted(app: &App, headers: &HeaderMap, details: &Details) -> Result<Admitted, Error> {
    let drop = details.drop.as_ref().ok_or(Error::NotOnSale)?;
    let id = DropId::parse(&drop.drop_id).ok_or(Error::NotOnSale)?;
    let admitted = Admitted::into_drop(app, headers, &id);
    if drop.state == "ended" { admitted.map_err(|_| Error::NotOnSale) } else { admitted }
}

/// The fan's own booking under this place that waits for its payment.
async fn open_booking(app: &App, user_id: Uuid, admitted: &Admitted) -> Option<Uuid> {
    let (drop, place) = (admitted.admission.drop.as_str(), admitted.admission.place.to_string());
    let asking = async {
        let Some(open) = bookings::open_of_place(&app.pool, drop, &place).await? else { return Ok(None) };
        // another account may have used the same place on this browser
        Ok::<_, sqlx::Error>(bookings::find_own(&app.pool, open, user_id).await?.map(|_| open))
    };
    let open = asking.await;
    open.inspect_err(|error| tracing::warn!(%error, "whether a place has an open booking")).ok().flatten()
}

/// What one look at the page is about.
struct Seen<'a> {
    details: &'a Details,
    hall: &'a Hall,
    choice: &'a Choice,
    admitted: &'a Result<Admitted, Error>,
    open_booking: Option<Uuid>,
}

impl<'a> Seen<'a> {
    async fn page(self, app: &App, notice: Option<Notice>) -> Page<'a> {
        let Seen { details, hall, choice, admitted, open_booking } = self;
        let of_drop = match admitted {
            Ok(_) => sale::of_event(&app.pool, details.event.event_id).await.ok(),
            Err(_) => None,
        };
        let of_drop = of_drop.and_then(|sale| u32::try_from(sale.max_per_fan).ok());
        let is_used = notice.as_ref().is_some_and(|notice| notice.step == Step::Used);
        let turn = admitted.as_ref().ok().filter(|_| !is_used);
        let zone = hall.zone_to_show(choice.zone.as_deref(), &choice.seats);
        let rows = zone.map(|zone| hall.rows(zone, &choice.seats)).unwrap_or_default();
        let listed = |label: &String| rows.iter().any(|row| row.seats.iter().any(|seat| seat.label == *label));
        Page {
            site: app.site.clone(),
            when: words::when(&details.event),
            until: turn.map(|admitted| admitted.admission.expires_at),
            may_choose: turn.is_some() && open_booking.is_none(),
            now: app.clock.now(),
            notice,
            open_booking,
            max: of_drop.unwrap_or(u32::MAX).min(app.settings.tickets_max).max(1),
            zone_name: zone.map(|zone| zone.name.clone()).unwrap_or_default(),
            zones: hall.zones(zone),
            elsewhere: choice.seats.iter().filter(|label| !listed(label)).collect(),
            rows,
            ceilings: hall.ceilings(),
            fees: hall.fee_words(),
            total: hall.money(hall.total(&choice.seats)),
            nothing: hall.money(0),
            key: base64url(&random::<16>()),
            details,
            hall,
            choice,
        }
    }
}
