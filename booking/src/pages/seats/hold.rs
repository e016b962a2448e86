//! The choice becomes a booking, by the same function as the API's checkout.

use shared::encoding::{hex, sha256};
use uuid::Uuid;

use super::{choice::Choice, open_booking};
use crate::{
    app::App,
    error::Error,
    extract::{Admitted, IdempotencyKey},
    purchase::{
        checkout::{self, BestWish, Buyer, Order, SeatWish},
        idempotency::Key,
    },
};

/// What came of a wish.
pub(super) enum Held {
    Now(Uuid),
    /// Other seats, by an earlier wish that is not paid yet.
    Before(Uuid),
    Not(Error),
}

/// # Errors
/// What is no answer to a wish.
pub(super) async fn hold(
    app: &App,
    user_id: Uuid,
    admitted: &Admitted,
    event_id: Uuid,
    choice: &Choice,
) -> Result<Held, Error> {
    let seats = if choice.best {
        let quantity = choice.quantity.unwrap_or_default();
        SeatWish::Best(BestWish {
            quantity,
            tier: choice.tier.clone(),
            zone: None,
            max_price: choice.max_price,
            accessible: choice.accessible,
        })
    } else {
        SeatWish::Named { labels: choice.seats.clone(), accessible: choice.accessible }
    };
    let order = Order { event_id, seats };
    let (key, fingerprint) = key(choice, &order);
    let key = IdempotencyKey::parse(&key).ok_or_else(|| Error::WrongType("key".to_owned()))?;
    let key = Key { user_id, key: key.as_str(), fingerprint };
    let buyer = Buyer { admission: &admitted.admission, key };
    let now = app.clock.now();
    let error = match checkout::checkout(app, &buyer, &order).await {
        Ok(answer) => {
            let made: Made = serde_json::from_str(&answer.body).map_err(anyhow::Error::from)?;
            return Ok(Held::Now(made.booking_id));
        }
        Err(error) => error,
    };
    let open = match &error {
        Error::BookingOpen { booking_id } => Some(*booking_id),
        // seats may be held all the same, by this wish or by an earlier one: then they are what there is to pay
        Error::Provider(_)
        | Error::Unavailable(_)
        | Error::Crowded
        | Error::InFlight
        | Error::SeatsTaken { .. }
        | Error::SoldOut => open_booking(app, user_id, admitted).await,
        _ => None,
    };
    Ok(match open {
        Some(booking_id) if booking_id == checkout::booking_id(&buyer.key, now) => Held::Now(booking_id),
        Some(booking_id) => Held::Before(booking_id),
        None => Held::Not(error),
    })
}

#[derive(serde::Deserialize)]
struct Made {
    booking_id: Uuid,
}

/// The page's key with a hash of what is asked for: pressing twice asks once, and choosing anew on a page that was
/// used before (the browser's Back) asks anew.
fn key(choice: &Choice, order: &Order) -> (String, [u8; 32]) {
    let mut parts: Vec<String> = vec!["POST /e/seats".to_owned(), order.event_id.to_string()];
    match &order.seats {
        SeatWish::Named { labels, accessible } => {
            let mut labels = labels.clone();
            labels.sort_unstable();
            parts.extend(labels);
            parts.push(format!("accessible {accessible}"));
        }
        SeatWish::Best(best) => parts.push(format!("best {best:?}")),
    }
    let bytes: Vec<&[u8]> = parts.iter().flat_map(|part| [part.as_bytes(), b"\n".as_slice()]).collect();
    let fingerprint = sha256(&bytes);
    let page: String = choice.key.as_deref().unwrap_or_default().chars().take(64).collect();
    (format!("page.{page}.{}", hex(&fingerprint[..8])), fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(seats: &[&str]) -> Order {
        let seats = seats.iter().map(|label| (*label).to_owned()).collect();
        Order { event_id: Uuid::nil(), seats: SeatWish::Named { labels: seats, accessible: false } }
    }

    fn best(wish: BestWish) -> Order {
        Order { event_id: Uuid::nil(), seats: SeatWish::Best(wish) }
    }

    #[test]
    fn the_same_seats_on_the_same_page_are_the_same_wish() {
        let page = |key: &str| Choice { key: Some(key.to_owned()), ..Choice::default() };
        let one = key(&page("k"), &order(&["A-1", "A-2"]));
        assert_eq!(one, key(&page("k"), &order(&["A-2", "A-1"])));
        assert_ne!(one.0, key(&page("k"), &order(&["A-1"])).0);
        let wheelchair = SeatWish::Named { labels: vec!["A-1".to_owned(), "A-2".to_owned()], accessible: true };
        assert_ne!(one, key(&page("k"), &Order { event_id: Uuid::nil(), seats: wheelchair }));
        let any = key(&page("k"), &best(BestWish::default()));
        for other in [
            BestWish { max_price: Some(1), ..BestWish::default() },
            BestWish { accessible: true, ..BestWish::default() },
            BestWish { tier: Some("dear".to_owned()), ..BestWish::default() },
        ] {
            assert_ne!(any, key(&page("k"), &best(other)));
        }
        assert_ne!(one.0, key(&page("other"), &order(&["A-1", "A-2"])).0);
        assert!(IdempotencyKey::parse(&key(&page(&"k".repeat(500)), &order(&[])).0).is_some());
        assert!(IdempotencyKey::parse(&key(&page("ü"), &order(&[])).0).is_none(), "refused, not cut");
    }
}
